// A Vulkan driver with one device, which computes nothing. Another library has the device's name.
#include <string.h>
#include <vulkan/vk_icd.h>

const char *device_name(void);

// The name of a library that only `dlopen` would load.
const char *const opened = "libextra.so.3";

static VK_LOADER_DATA instance, device;

static VkResult create(const VkInstanceCreateInfo *info, const VkAllocationCallbacks *how, VkInstance *made) {
    (void)info, (void)how;
    set_loader_magic_value(&instance);
    *made = (VkInstance)&instance;
    return VK_SUCCESS;
}

static VkResult devices(VkInstance of, uint32_t *count, VkPhysicalDevice *all) {
    (void)of;
    if (all && *count) {
        set_loader_magic_value(&device);
        all[0] = (VkPhysicalDevice)&device;
    }
    *count = 1;
    return VK_SUCCESS;
}

static void properties(VkPhysicalDevice of, VkPhysicalDeviceProperties *found) {
    (void)of;
    memset(found, 0, sizeof *found);
    found->apiVersion = VK_API_VERSION_1_1;
    found->deviceType = VK_PHYSICAL_DEVICE_TYPE_CPU;
    strncpy(found->deviceName, device_name(), sizeof found->deviceName - 1);
}

static VkResult extensions(const char *layer, uint32_t *count, VkExtensionProperties *all) {
    (void)layer, (void)all;
    *count = 0;
    return VK_SUCCESS;
}

// Stands for everything that the loader demands and the test does not call.
static VkResult nothing(void) { return VK_SUCCESS; }

PFN_vkVoidFunction vk_icdGetInstanceProcAddr(VkInstance of, const char *name) {
    (void)of;
    static const char *const unused[] = {
        "vkDestroyInstance", "vkCreateDevice", "vkGetDeviceProcAddr", "vkEnumerateDeviceExtensionProperties",
        "vkEnumerateDeviceLayerProperties", "vkGetPhysicalDeviceFeatures", "vkGetPhysicalDeviceFormatProperties",
        "vkGetPhysicalDeviceImageFormatProperties", "vkGetPhysicalDeviceMemoryProperties",
        "vkGetPhysicalDeviceQueueFamilyProperties", "vkGetPhysicalDeviceSparseImageFormatProperties",
    };
    if (!strcmp(name, "vkCreateInstance")) return (PFN_vkVoidFunction)create;
    if (!strcmp(name, "vkEnumeratePhysicalDevices")) return (PFN_vkVoidFunction)devices;
    if (!strcmp(name, "vkGetPhysicalDeviceProperties")) return (PFN_vkVoidFunction)properties;
    if (!strcmp(name, "vkEnumerateInstanceExtensionProperties")) return (PFN_vkVoidFunction)extensions;
    for (unsigned at = 0; at < sizeof unused / sizeof *unused; at++)
        if (!strcmp(name, unused[at])) return (PFN_vkVoidFunction)nothing;
    return 0;
}

VkResult vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
    if (*version > 5) *version = 5;
    return VK_SUCCESS;
}
