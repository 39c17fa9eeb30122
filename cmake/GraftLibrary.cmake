# SPDX-License-Identifier: Apache-2.0
# The targets that users link: graft::graft (headers), graft::compiled (the same, with explicit instantiations), and one
# interface target for each optional dependency that was found.

file(GLOB_RECURSE graft_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/graft/*.hpp")
file(GLOB_RECURSE graft_bodies CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/graft/*.tpp")

# Headers that need an optional dependency: installed always, but compiled on their own only where it was found.
set(graft_plain_headers ${graft_headers})
function(graft_header_needs regex found)
  if(NOT found)
    list(FILTER graft_plain_headers EXCLUDE REGEX "${regex}")
    set(graft_plain_headers "${graft_plain_headers}" PARENT_SCOPE)
  endif()
endfunction()
graft_header_needs("/graft/.*onednn" "${GRAFT_HAS_ONEDNN}")
graft_header_needs("/graft/.*cuda" "${GRAFT_HAS_CUDA}")
graft_header_needs("/graft/dist/(mpi|nccl)[^/]*$" "${GRAFT_HAS_MPI}")
graft_header_needs("/graft/.*xtensor" "${xtensor_FOUND}")

add_library(graft INTERFACE)
add_library(graft::graft ALIAS graft)
target_sources(graft INTERFACE
  FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${graft_headers})
if(graft_bodies)  # a set of its own, since a body does not compile alone
  target_sources(graft INTERFACE
    FILE_SET bodies TYPE HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${graft_bodies})
endif()
target_compile_features(graft INTERFACE cxx_std_20)
target_link_libraries(graft INTERFACE
  Eigen3::Eigen nlohmann_json::nlohmann_json ZLIB::ZLIB)
if(GRAFT_HAS_OPENMP)
  target_link_libraries(graft INTERFACE OpenMP::OpenMP_CXX)
endif()
if(NOT PROJECT_IS_TOP_LEVEL)
  set_target_properties(graft PROPERTIES SYSTEM ON)  # our headers raise no warnings in a project that contains us
endif()

# graft_part(NAME DEFINITION DEPENDENCY): the interface target graft::NAME.
function(graft_part name definition dependency)
  add_library(graft_${name} INTERFACE)
  add_library(graft::${name} ALIAS graft_${name})
  set_target_properties(graft_${name} PROPERTIES EXPORT_NAME ${name})
  target_compile_definitions(graft_${name} INTERFACE ${definition}=1)
  target_link_libraries(graft_${name} INTERFACE ${dependency})
endfunction()

set(graft_parts)
if(GRAFT_HAS_ONEDNN)
  graft_part(onednn GRAFT_WITH_ONEDNN OneDnn::OneDnn)
  target_link_libraries(graft INTERFACE graft_onednn)
  list(APPEND graft_parts onednn)
endif()
# CUDA and MPI cost every program a run-time library, so finding them only offers the target; ON links it for everybody.
if(GRAFT_HAS_CUDA)
  graft_part(cuda GRAFT_WITH_CUDA "CUDA::cudart;CUDA::cublas;CUDA::cublasLt")
  list(APPEND graft_parts cuda)
  if(GRAFT_WITH_CUDA STREQUAL "ON")
    target_link_libraries(graft INTERFACE graft_cuda)
  endif()
endif()
if(GRAFT_HAS_MPI)
  graft_part(mpi GRAFT_WITH_MPI MPI::MPI_CXX)
  list(APPEND graft_parts mpi)
  if(GRAFT_WITH_MPI STREQUAL "ON")
    target_link_libraries(graft INTERFACE graft_mpi)
  endif()
endif()
if(xtensor_FOUND)
  graft_part(xtensor GRAFT_WITH_XTENSOR xtensor)
  target_link_libraries(graft_xtensor INTERFACE graft)
  list(APPEND graft_parts xtensor)
endif()

# The .tpp bodies and explicit instantiations of the common combinations. GRAFT_COMPILED keeps the bodies, and with them
# Eigen and JSON, out of all translation units but those of src/, which include them by name.
set(graft_compiled_all EXCLUDE_FROM_ALL)
if(GRAFT_BUILD_COMPILED)
  set(graft_compiled_all)
endif()
file(GLOB graft_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/*.cpp")
file(GLOB graft_instantiations CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/instantiations/*.cpp")
# The bodies by themselves, for our own programs that instantiate other combinations.
add_library(graft_bodies STATIC EXCLUDE_FROM_ALL ${graft_sources})
target_link_libraries(graft_bodies PUBLIC graft)
target_compile_definitions(graft_bodies PUBLIC GRAFT_COMPILED)
add_library(graft_compiled STATIC ${graft_compiled_all} $<TARGET_OBJECTS:graft_bodies> ${graft_instantiations})
add_library(graft::compiled ALIAS graft_compiled)
set_target_properties(graft_bodies PROPERTIES POSITION_INDEPENDENT_CODE ON)
set_target_properties(graft_compiled PROPERTIES
  EXPORT_NAME compiled
  OUTPUT_NAME graft
  POSITION_INDEPENDENT_CODE ON)
target_link_libraries(graft_compiled PUBLIC graft)
target_compile_definitions(graft_compiled PUBLIC GRAFT_COMPILED)
