// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>

namespace graft {

/// Makes a directory whose content is complete or, after a failure or a crash, still the old one. Calls
/// writer(path of an empty directory beside it), flushes everything it wrote to the disk, and swaps the two. Entries of
/// the old directory that the new one lacks stay, except *.safetensors and their index. Parent folders are created.
/// Errors: anything that the writer throws; `directory` is a file; a failure of the system.
void write_directory_atomically(std::filesystem::path directory,
                                std::function<void(std::filesystem::path const&)> const& writer);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/io/atomic_directory.tpp>
#endif
