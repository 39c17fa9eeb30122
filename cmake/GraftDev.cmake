# SPDX-License-Identifier: Apache-2.0
# graft_dev: how we compile our own code. Never exported, never linked by a target that users link.
add_library(graft_dev INTERFACE)
target_compile_options(graft_dev INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow)
if(GRAFT_WARNINGS_AS_ERRORS)
  target_compile_options(graft_dev INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(graft_dev INTERFACE -fconcepts-diagnostics-depth=2)
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # GCC 12 warns falsely: of std::optional and Eigen temporaries (maybe-uninitialized), of its own AVX-512 intrinsics
    # (uninitialized, GCC bug 105593), and of "text" + std::string (restrict, GCC bug 105651).
    target_compile_options(graft_dev INTERFACE -Wno-maybe-uninitialized -Wno-uninitialized -Wno-restrict)
  endif()
endif()
if(GRAFT_NATIVE)
  target_compile_options(graft_dev INTERFACE -march=native)
endif()
if(GRAFT_SANITIZE)
  string(REPLACE ";" "," graft_sanitizers "${GRAFT_SANITIZE}")
  target_compile_options(graft_dev INTERFACE
    -fsanitize=${graft_sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(graft_dev INTERFACE -fsanitize=${graft_sanitizers})
  foreach(source cpu_backend eigen onednn)  # the bodies that compute, whatever the build type says
    set_source_files_properties("${PROJECT_SOURCE_DIR}/src/${source}.cpp" PROPERTIES COMPILE_OPTIONS -O1)
  endforeach()
endif()

# graft::compiled is built as our own code, and nothing of that reaches its users.
target_compile_options(graft_compiled PRIVATE $<TARGET_PROPERTY:graft_dev,INTERFACE_COMPILE_OPTIONS>)
target_compile_options(graft_bodies PRIVATE $<TARGET_PROPERTY:graft_dev,INTERFACE_COMPILE_OPTIONS>)

if(GRAFT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(GRAFT_CCACHE_PROGRAM ccache)
  mark_as_advanced(GRAFT_CCACHE_PROGRAM)
  if(GRAFT_CCACHE_PROGRAM)
    # -march=native means another thing on another processor, and ccache does not see that: a name space per processor.
    set(graft_cpu "any")
    if(GRAFT_NATIVE AND EXISTS /proc/cpuinfo)
      file(STRINGS /proc/cpuinfo graft_cpu REGEX "^(model name|flags|Features)" LIMIT_COUNT 2)
    endif()
    string(SHA1 graft_cpu "${graft_cpu}")
    string(SUBSTRING "${graft_cpu}" 0 12 graft_cpu)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND};-E;env;CCACHE_NAMESPACE=graft-${graft_cpu};${GRAFT_CCACHE_PROGRAM}")
    set_target_properties(graft_compiled graft_bodies PROPERTIES CXX_COMPILER_LAUNCHER "${CMAKE_CXX_COMPILER_LAUNCHER}")
  endif()
endif()

# Every header compiles alone, with our warnings: cmake --build BUILD --target all_verify_interface_header_sets. Without the
# .tpp bodies: those compile alone in src/, and all together, header-only, in the test odr. A header that its test includes
# first compiles alone there.
if(PROJECT_IS_TOP_LEVEL)
  set(graft_headers_without_test)
  foreach(header IN LISTS graft_plain_headers)
    cmake_path(RELATIVE_PATH header BASE_DIRECTORY "${PROJECT_SOURCE_DIR}/include" OUTPUT_VARIABLE name)
    string(REGEX REPLACE "^graft/(.*)[.]hpp$" "${PROJECT_SOURCE_DIR}/tests/unit/\\1.test.cpp" test "${name}")
    set(first)
    if(EXISTS "${test}")
      file(STRINGS "${test}" first REGEX "^#include" LIMIT_COUNT 1)
    endif()
    if(NOT first STREQUAL "#include <${name}>")
      list(APPEND graft_headers_without_test "${header}")
    endif()
  endforeach()
  add_library(graft_header_check INTERFACE)
  target_sources(graft_header_check INTERFACE
    FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${graft_headers_without_test})
  list(TRANSFORM graft_parts PREPEND graft_ OUTPUT_VARIABLE graft_part_targets)
  target_link_libraries(graft_header_check INTERFACE graft graft_dev ${graft_part_targets})
  target_compile_definitions(graft_header_check INTERFACE GRAFT_COMPILED)
  set_target_properties(graft_header_check PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
endif()
