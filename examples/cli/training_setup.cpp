// SPDX-License-Identifier: Apache-2.0
#include "training_setup.hpp"

#include <graft/io/peft.hpp>
#include <graft/io/save_model.hpp>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <limits>

namespace cli {

using graft::Index;

/// "key=value" of --rank-pattern and --alpha-pattern. A key may hold "=" itself.
template <class T>
static std::vector<std::pair<std::string, T>> pattern_of(std::vector<std::string> const& entries, char const* flag) {
  std::vector<std::pair<std::string, T>> pattern;
  for (auto const& entry : entries) {
    auto const at = entry.rfind('=');
    T value{};
    char const* const end = entry.data() + entry.size();
    bool const valid = at != std::string::npos && at > 0 && [&] {
      auto const result = std::from_chars(entry.data() + at + 1, end, value);
      return result.ec == std::errc{} && result.ptr == end;
    }();
    graft::require(valid, flag, "\"", entry, "\" must be module=number");
    pattern.emplace_back(entry.substr(0, at), value);
  }
  return pattern;
}

graft::Selected adapter_of(TrainingFlags const& flags) {
  if (flags.method == "full") return {graft::Method::full, {}};
  if (!flags.init_adapter.empty()) {
    graft::Selected adapter{graft::Method::lora, graft::read_peft_config(flags.init_adapter)};
    adapter.lora.dropout = flags.dropout;
    return adapter;
  }
  bool const all = flags.target_modules == std::vector<std::string>{"all-linear"};
  return {graft::Method::lora,
          graft::Lora{.rank = flags.rank,
                      .alpha = flags.alpha,
                      .dropout = flags.dropout,
                      .rank_stabilized = flags.rslora,
                      .target_modules = all ? graft::TargetModules(graft::all_linear) : graft::TargetModules(flags.target_modules),
                      .bias = flags.bias == "all"         ? graft::TrainBias::all
                              : flags.bias == "lora_only" ? graft::TrainBias::lora_only
                                                          : graft::TrainBias::none,
                      .modules_to_save = flags.modules_to_save,
                      .seed = flags.seed,
                      .exclude_modules = graft::TargetModules(flags.exclude_modules),
                      .layers_to_transform = flags.layers_to_transform,
                      .rank_pattern = pattern_of<Index>(flags.rank_pattern, "--rank-pattern"),
                      .alpha_pattern = pattern_of<double>(flags.alpha_pattern, "--alpha-pattern")}};
}

PolicyReference reference_of(TrainingFlags const& flags, std::string const& kind, Session& session) {
  bool const fresh = flags.method == "lora" && flags.init_adapter.empty() && flags.modules_to_save.empty() && flags.bias == "none";
  graft::require(kind == "initial" || flags.method == "lora", "reference",
                 "--reference base is the model without its adapter: --method full has none");
  return PolicyReference(*session.model, kind == "base" ? graft::ReferenceKind::base : graft::ReferenceKind::initial, fresh);
}

std::filesystem::path page_directory(TrainingFlags const& flags) {
  std::filesystem::path directory = flags.page_directory.empty() ? flags.output : flags.page_directory;
  if (directory.empty()) directory = ".";  // graft plan, which writes nothing
  std::filesystem::create_directories(directory);
  return directory;
}

double gradient_bound(TrainingFlags const& flags) {
  return flags.max_grad_norm > 0 ? flags.max_grad_norm : std::numeric_limits<double>::infinity();
}

graft::Recompute recompute_of(TrainingFlags const& flags) {
  return flags.recompute == "full"        ? graft::Recompute::full
         : flags.recompute == "selective" ? graft::Recompute::selective
                                          : graft::Recompute::none;
}

Index total_steps(TrainingFlags const& flags, Index steps_per_epoch) {
  Index const total = flags.max_steps > 0 ? flags.max_steps
                                          : static_cast<Index>(std::ceil(static_cast<double>(steps_per_epoch) * flags.epochs));
  graft::require(total > 0, "train", "there are no steps to do: --epochs ", flags.epochs, ", --max-steps ", flags.max_steps);
  return total;
}

void save_result(TrainingFlags const& flags, Session const& session) {
  if (flags.method == "lora")
    graft::save_peft(*session.model, flags.output, flags.model.model);
  else
    graft::save_model(*session.model, session.files, flags.output);
  std::cerr << "wrote " << (flags.method == "lora" ? "the adapter" : "the model") << " to " << flags.output
            << " and its loss curve to " << (std::filesystem::path(flags.output) / "loss.svg").string() << '\n';
}

}  // namespace cli
