// Prints the names of all Vulkan devices.
#include <stdio.h>
#include <vulkan/vulkan.h>

int main(void) {
    VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_0};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application};
    VkInstance instance;
    VkResult result = vkCreateInstance(&info, 0, &instance);
    if (result != VK_SUCCESS) {
        printf("no instance: %d\n", result);
        return 1;
    }
    VkPhysicalDevice all[8];
    uint32_t count = 8;
    vkEnumeratePhysicalDevices(instance, &count, all);
    for (uint32_t at = 0; at < count; at++) {
        VkPhysicalDeviceProperties properties;
        vkGetPhysicalDeviceProperties(all[at], &properties);
        printf("device %s\n", properties.deviceName);
    }
    return 0;
}
