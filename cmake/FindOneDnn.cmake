# SPDX-License-Identifier: Apache-2.0
# oneDNN 2.x and 3.x: target OneDnn::OneDnn. Looked for by header and library, since the CMake package of some
# distributions demands OpenCL, which we have no use for.
find_path(OneDnn_INCLUDE_DIR NAMES oneapi/dnnl/dnnl.hpp dnnl.hpp)
find_library(OneDnn_LIBRARY NAMES dnnl)
mark_as_advanced(OneDnn_INCLUDE_DIR OneDnn_LIBRARY)
if(OneDnn_INCLUDE_DIR)
  # The top header may only forward to oneapi/dnnl/.
  foreach(candidate "${OneDnn_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h" "${OneDnn_INCLUDE_DIR}/dnnl_version.h")
    if(EXISTS "${candidate}" AND NOT OneDnn_VERSION)
      file(STRINGS "${candidate}" onednn_version_lines REGEX "#define DNNL_VERSION_(MAJOR|MINOR|PATCH)")
      if(onednn_version_lines)
        string(REGEX REPLACE ".*_MAJOR[ ]+([0-9]+).*_MINOR[ ]+([0-9]+).*_PATCH[ ]+([0-9]+).*" "\\1.\\2.\\3"
          OneDnn_VERSION "${onednn_version_lines}")
      endif()
    endif()
  endforeach()
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDnn REQUIRED_VARS OneDnn_LIBRARY OneDnn_INCLUDE_DIR VERSION_VAR OneDnn_VERSION)
if(OneDnn_FOUND AND NOT TARGET OneDnn::OneDnn)
  add_library(OneDnn::OneDnn UNKNOWN IMPORTED)
  set_target_properties(OneDnn::OneDnn PROPERTIES
    IMPORTED_LOCATION "${OneDnn_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${OneDnn_INCLUDE_DIR}")
endif()
