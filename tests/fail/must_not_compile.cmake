# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE= -DCOMPILER= -DINCLUDES=a|b -DDEFINITIONS=A|B=1 -P must_not_compile.cmake
file(STRINGS "${SOURCE}" head LIMIT_COUNT 3)
if(NOT head MATCHES "// expect: ([^;]+)")
  message(FATAL_ERROR "${SOURCE} has no line '// expect: REGEX' among its first three")
endif()
string(STRIP "${CMAKE_MATCH_1}" expected)

set(flags -std=c++20 -fsyntax-only)
string(REPLACE "|" ";" INCLUDES "${INCLUDES}")
foreach(directory IN LISTS INCLUDES)
  # The compiler's own folder must not be named, else its headers no longer find the next ones.
  if(NOT directory STREQUAL "/usr/include")
    list(APPEND flags -I "${directory}")
  endif()
endforeach()
string(REPLACE "|" ";" DEFINITIONS "${DEFINITIONS}")
foreach(definition IN LISTS DEFINITIONS)
  list(APPEND flags "-D${definition}")
endforeach()

execute_process(COMMAND "${COMPILER}" ${flags} "${SOURCE}"
  RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(status EQUAL 0)
  message("${SOURCE} compiles, but must not")
  message(FATAL_ERROR "refused")
endif()
if(NOT output MATCHES "${expected}")
  message("${output}")
  message("${SOURCE} does not print what it should: ${expected}")
  message(FATAL_ERROR "refused")
endif()
