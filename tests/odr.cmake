# SPDX-License-Identifier: Apache-2.0
# Two translation units with every header, one in alphabetical and one in the opposite order, linked together: a function
# that is not inline is defined twice, and a header that relies on what came before it does not compile.
set(forward "")
set(backward "")
foreach(header IN LISTS graft_plain_headers)
  cmake_path(RELATIVE_PATH header BASE_DIRECTORY "${PROJECT_SOURCE_DIR}/include")
  string(APPEND forward "#include <${header}>\n")
  string(PREPEND backward "#include <${header}>\n")
endforeach()
foreach(order forward backward)
  file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/odr/all_headers_${order}.hpp" CONTENT "${${order}}" @ONLY)
endforeach()

add_executable(graft_test_odr odr/forward.cpp odr/backward.cpp)
target_include_directories(graft_test_odr PRIVATE "${CMAKE_CURRENT_BINARY_DIR}/odr")
list(TRANSFORM graft_parts PREPEND graft_ OUTPUT_VARIABLE part_targets)
target_link_libraries(graft_test_odr PRIVATE graft_dev graft ${part_targets})
target_compile_options(graft_test_odr PRIVATE -O0)
add_test(NAME odr COMMAND graft_test_odr)
set_tests_properties(odr PROPERTIES LABELS odr TIMEOUT 60)
