// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "session.hpp"

namespace cli {

// One translation unit each: they build side by side.
[[nodiscard]] Model build_llama(graft::ModelFiles const& files, graft::Selected const& adapter, Backend& backend);
[[nodiscard]] Model build_qwen2(graft::ModelFiles const& files, graft::Selected const& adapter, Backend& backend);
[[nodiscard]] Model build_qwen3(graft::ModelFiles const& files, graft::Selected const& adapter, Backend& backend);
[[nodiscard]] Model build_gemma3(graft::ModelFiles const& files, graft::Selected const& adapter, Backend& backend);
[[nodiscard]] Model build_gpt2(graft::ModelFiles const& files, graft::Selected const& adapter, Backend& backend);

}  // namespace cli
