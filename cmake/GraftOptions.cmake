# SPDX-License-Identifier: Apache-2.0
# Everything that a user of the build may choose.
option(GRAFT_BUILD_TESTS "Build graft's tests" ${PROJECT_IS_TOP_LEVEL})
option(GRAFT_BUILD_BENCH "Build graft's benchmarks" ${PROJECT_IS_TOP_LEVEL})
option(GRAFT_BUILD_EXAMPLES "Build graft's examples and its command line program" ${PROJECT_IS_TOP_LEVEL})
option(GRAFT_BUILD_COMPILED "Build graft::compiled by default (else on demand) and install it" ${PROJECT_IS_TOP_LEVEL})
option(GRAFT_INSTALL "Make install rules" ${PROJECT_IS_TOP_LEVEL})
option(GRAFT_NATIVE "Compile graft's own programs, tests and graft::compiled for this machine (-march=native)" ${PROJECT_IS_TOP_LEVEL})
option(GRAFT_WARNINGS_AS_ERRORS "Warnings stop graft's own builds" ${PROJECT_IS_TOP_LEVEL})
option(GRAFT_CCACHE "Compile through ccache where it is installed" ${PROJECT_IS_TOP_LEVEL})
# Off: it saves 0.5 to 0.9 s a test file, and hides a header under test that includes too little.
option(GRAFT_TEST_PCH "Precompile the standard headers and doctest for the tests" OFF)
set(GRAFT_SANITIZE "" CACHE STRING "Sanitizers for graft's own programs and tests, as -fsanitize takes them: address,undefined")

foreach(part OPENMP ONEDNN CUDA MPI)
  set(GRAFT_WITH_${part} AUTO CACHE STRING "Use ${part}: AUTO (when found), ON (an error when missing), OFF")
  set_property(CACHE GRAFT_WITH_${part} PROPERTY STRINGS AUTO ON OFF)
  if(NOT GRAFT_WITH_${part} MATCHES "^(AUTO|ON|OFF)$")
    message(FATAL_ERROR "[graft] GRAFT_WITH_${part} must be AUTO, ON or OFF: got ${GRAFT_WITH_${part}}")
  endif()
endforeach()

if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
  endif()
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  set(CMAKE_CXX_EXTENSIONS OFF)
endif()
