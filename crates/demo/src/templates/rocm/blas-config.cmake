# Demo upstream: target roc::@NAME@, found relative to this file.
include(CMakeFindDependencyMacro)
find_dependency(hip)
get_filename_component(@NAME@_DEMO_ROOT "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(@NAME@_VERSION "@VERSION@")
set(@NAME@_INCLUDE_DIR "${@NAME@_DEMO_ROOT}/include")
if(NOT TARGET roc::@NAME@)
  add_library(roc::@NAME@ SHARED IMPORTED)
  set_target_properties(roc::@NAME@ PROPERTIES
    IMPORTED_LOCATION "${@NAME@_DEMO_ROOT}/lib/@FILE@"
    IMPORTED_SONAME @SONAME@
    INTERFACE_INCLUDE_DIRECTORIES "${@NAME@_DEMO_ROOT}/include"
    INTERFACE_LINK_LIBRARIES hip::host)
endif()
