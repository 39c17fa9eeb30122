// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"

#include "architectures.hpp"

#include <graft/core/parallel.hpp>
#include <graft/io/atomic_file.hpp>
#include <graft/io/build_model.hpp>
#include <graft/io/peft.hpp>
#include <graft/model/gemma3.hpp>
#include <graft/model/geometry.hpp>
#include <graft/model/gpt2.hpp>
#include <graft/model/llama.hpp>
#include <graft/model/qwen2.hpp>
#include <graft/model/qwen3.hpp>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <span>
#include <string_view>

namespace cli {

Session open_session(ModelFlags const& flags) {
  if (flags.threads > 0) graft::set_num_threads(flags.threads);
  Session session;
  session.files = graft::open_model(flags.model);
  session.backend = std::make_unique<Backend>(graft::CpuBackend::named(flags.backend, flags.precision));
  std::cerr << "model " << flags.model << " (" << session.files.config.model_type << ", " << session.backend->description()
            << ", " << graft::num_threads() << " threads)\n";
  return session;
}

Session open_run_session(ModelFlags flags, std::filesystem::path const& output, bool resume) {
  bool const automatic = flags.precision == "auto";
  auto const record = output / "precision";
  if (automatic && resume)
    if (std::ifstream file(record); file.good()) std::getline(file, flags.precision);
  Session session = open_session(flags);
  if (automatic) {
    std::filesystem::create_directories(output);
    graft::write_atomically(record, [&](graft::AtomicFile& file) { file.write(std::string(graft::name(session.backend->precision())) + "\n"); });
  }
  return session;
}

namespace {

/// What this program does with an architecture.
struct Entry {
  std::span<std::string_view const> types;
  Model (*build)(graft::ModelFiles const&, graft::Selected const&, Backend&);
  PlanFunction* plan;
};

Entry const& entry_of(std::string const& type, std::string const& place) {
  static Entry const entries[] = {{graft::Llama::model_types, build_llama, plan_llama},
                                  {graft::Qwen2::model_types, build_qwen2, plan_qwen2},
                                  {graft::Qwen3::model_types, build_qwen3, plan_qwen3},
                                  {graft::Gemma3::model_types, build_gemma3, plan_gemma3},
                                  {graft::Gpt2::model_types, build_gpt2, plan_gpt2}};
  for (auto const& entry : entries)
    if (std::find(entry.types.begin(), entry.types.end(), type) != entry.types.end()) return entry;
  graft::fail("model", place, " is a model of type ", type,
              "; this program has llama, mistral, smollm3, qwen2, qwen3, gemma3_text and gpt2");
}

}  // namespace

graft::ModelConfig published_sizes(std::string const& name) {
  graft::require(graft::is_geometry(name), "model", "there is no file or directory \"", name, "\", and no published model of that name: ",
                 graft::geometry_names());
  return graft::geometry(name);
}

PlannedModel plan_any(graft::ModelConfig const& config, graft::Selected const& adapter, graft::Dry& dry,
                      graft::WeightProvider const& weights) {
  return entry_of(config.model_type, "the configuration").plan(config, adapter, dry, weights);
}

Model build_model_of(Session const& session, graft::Selected const& adapter, std::string const& adapter_directory) {
  auto const& entry = entry_of(session.files.config.model_type, session.files.path.string());
  Model model = entry.build(session.files, adapter, *session.backend);
  if (!adapter_directory.empty()) graft::load_peft(model, adapter_directory);
  return model;
}

void build(Session& session, graft::Selected const& adapter, std::string const& adapter_directory) {
  session.model.reset();
  session.model.emplace(build_model_of(session, adapter, adapter_directory));
}

void build_adapted(Session& session, std::string const& adapter_directory) {
  graft::Selected adapter;
  if (!adapter_directory.empty()) adapter = {graft::Method::lora, graft::read_peft_config(adapter_directory)};
  build(session, adapter, adapter_directory);
}

Model build_reward_model(Session const& session, std::string const& directory) {
  Model model = build_model_of(session, {graft::Method::lora, graft::read_peft_config(directory)}, directory);
  auto const head = model.score_head();
  graft::require(head.has_value() && head->num_labels == 1, "reward", directory, " is no reward model: it must have a score head of one score, "
                 "as graft reward writes it");
  return model;
}

Session open_model_session(ModelFlags const& flags) {
  Session session = open_session(flags);
  build_adapted(session, flags.adapter);
  return session;
}

std::optional<graft::ChatFormat> chosen_format(ModelFlags const& flags, graft::Tokenizer const& tokenizer) {
  if (flags.chat_format.empty()) return std::nullopt;
  auto const spelling = [&](std::optional<std::int32_t> id) -> std::optional<std::string> {
    if (!id) return std::nullopt;
    return tokenizer.token(*id);
  };
  return graft::ChatFormat::named(flags.chat_format, {spelling(tokenizer.bos()), spelling(tokenizer.eos())});
}

graft::ChatFormat chat_format(ModelFlags const& flags, graft::Tokenizer const& tokenizer) {
  if (auto const chosen = chosen_format(flags, tokenizer)) return *chosen;
  return graft::ChatFormat::recognise(tokenizer.spec());
}

std::vector<std::int32_t> stop_ids(Session const& session, graft::ChatFormat const* format) {
  std::vector<std::int32_t> ids(session.files.generation.eos_token_ids.begin(), session.files.generation.eos_token_ids.end());
  if (auto const eos = session.tokenizer().eos()) ids.push_back(*eos);
  if (format != nullptr && !format->end_of_turn().empty())
    if (auto const end = session.tokenizer().token_id(format->end_of_turn())) ids.push_back(*end);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace cli
