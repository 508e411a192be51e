# Demo upstream: targets hip::host and hip::device, found relative to this file.
get_filename_component(HIP_DEMO_ROOT "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(hip_VERSION "@VERSION@")
set(hip_INCLUDE_DIR "${HIP_DEMO_ROOT}/include")
set(hip_LIB_INSTALL_DIR "${HIP_DEMO_ROOT}/lib")
set(HIP_PLATFORM amd)
set(HIP_COMPILER clang)
set(HIP_RUNTIME rocclr)
if(NOT TARGET hip::amdhip64)
  add_library(hip::amdhip64 SHARED IMPORTED)
  set_target_properties(hip::amdhip64 PROPERTIES
    IMPORTED_LOCATION "${HIP_DEMO_ROOT}/lib/libamdhip64.so.@HIP_VERSION@"
    IMPORTED_SONAME libamdhip64.so.7
    INTERFACE_INCLUDE_DIRECTORIES "${HIP_DEMO_ROOT}/include"
    INTERFACE_COMPILE_DEFINITIONS __HIP_PLATFORM_AMD__=1)
  add_library(hip::host INTERFACE IMPORTED)
  set_target_properties(hip::host PROPERTIES INTERFACE_LINK_LIBRARIES hip::amdhip64)
  add_library(hip::device INTERFACE IMPORTED)
  set_target_properties(hip::device PROPERTIES INTERFACE_LINK_LIBRARIES hip::host)
endif()
