// SPDX-License-Identifier: Apache-2.0
// graft plan: what a training run will need, before it runs. The flags are those of graft sft.
#include "architectures.hpp"
#include "commands.hpp"
#include "memory_layout.hpp"

#include <graft/backend/ceiling.hpp>
#include <graft/data/chat_data.hpp>
#include <graft/io/disk_rate.hpp>
#include <graft/model/geometry.hpp>
#include <graft/train/progress.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>

namespace cli {

using graft::Index;

struct PlanFlags : TrainingFlags {
  std::string base_format = "bf16";
  bool json = false;
};

/// What is planned for: the largest micro-batch, and all that the steps of an epoch hold.
struct Work {
  graft::BatchExtent extent;
  double tokens_per_step = 0;
  double disk_bytes = 0;  ///< of a streamed base, read in a step
};

/// Steps of the data, or without it of records of --max-length tokens.
static Work work_of(PlanFlags const& flags, graft::ChatData* data) {
  if (data == nullptr) {
    Index const records = (flags.batch_size + flags.gradient_accumulation - 1) / flags.gradient_accumulation;
    Index const tokens = records * flags.max_length;
    return {{tokens, tokens - records, records}, static_cast<double>(flags.batch_size * flags.max_length)};
  }
  return {largest_batch<graft::TokenBatch>(*data, data->steps_per_epoch()),
          static_cast<double>(data->report().tokens) / static_cast<double>(data->steps_per_epoch())};
}

/// Each micro-batch reads what a streamed base has not in memory twice: forward, and back.
static double disk_bytes(graft::MemoryPlan const& plan, Index micro_batches) {
  return 2.0 * static_cast<double>(micro_batches) * static_cast<double>(plan.streamed);
}

/// `disk_rate`: bytes a second, 0 if unknown. The disk is read beside the computation, so the slower of both is the time of a step.
static void print(PlanFlags const& flags, graft::MemoryPlan const& plan, Work const& work, double flops, double gflops,
                  double disk_rate = 0) {
  double const computing = flops * work.tokens_per_step / static_cast<double>(work.extent.tokens) / (1e9 * gflops);
  double const reading = disk_rate > 0 ? work.disk_bytes / disk_rate : 0;
  double const seconds = std::max(computing, reading);
  if (!flags.json) {
    print_plan(std::cout, plan);
    std::cout << "a step of " << work.tokens_per_step << " tokens: " << computing << " s at the measured " << gflops
              << " GFLOP/s of products, " << work.tokens_per_step / computing << " tok/s\n";
    if (work.disk_bytes > 0) std::cout << "a step reads " << work.disk_bytes * 1e-9 << " GB of the base from disk";
    if (reading > 0) std::cout << ": " << reading << " s at the measured " << disk_rate * 1e-9 << " GB/s, beside " << computing << " s of computing";
    if (work.disk_bytes > 0) std::cout << '\n';
    return;
  }
  nlohmann::ordered_json const line{{"program", plan.program},     {"base", plan.base},
                                    {"trained", plan.trained},     {"gradients", plan.gradients},
                                    {"optimizer", plan.optimizer}, {"activations", plan.activations},
                                    {"backend", plan.scratch},     {"peak", plan.total()},
                                    {"tokens_per_step", work.tokens_per_step}, {"seconds_per_step", seconds},
                                    {"gflops", gflops},            {"disk_bytes_per_step", work.disk_bytes},
                                    {"disk_rate", disk_rate},      {"paged", plan.paged}};
  std::cout << line.dump() << '\n';
}

/// Plans for sizes alone: a name of `geometry`, or a config.json without weights beside it.
static void plan_sizes(PlanFlags const& flags, graft::ModelConfig const& config) {
  auto const format = graft::storage_named(flags.base_format);
  auto const words = graft::is_quantized(format) ? graft::Storage::bf16 : format;
  graft::Dry dry;
  auto model = plan_any(config, adapter_of(flags), dry, graft::planned_weights(format, words));
  model.set_recompute(recompute_of(flags));
  page_activations(flags, model);
  graft::CpuBackend backend = graft::CpuBackend::named(flags.model.backend, flags.model.precision);
  double const gflops = graft::measured_gemm_gflops(backend);
  Work work = work_of(flags, nullptr);
  auto plan = graft::plan_memory(model, work.extent, state_bytes(flags), static_cast<std::size_t>(graft::resident_bytes()));
  if (flags.memory_limit > 0) {
    auto const layout = graft::fit_memory(model, flags.memory_limit, flags.batch_size, state_bytes(flags), plan.program, [&](Index count) {
      auto cut = flags;
      cut.gradient_accumulation = count;
      return work_of(cut, nullptr).extent;
    });
    report_layout(layout, flags.memory_limit);
    plan = layout.memory;
    work.disk_bytes = disk_bytes(plan, layout.micro_batches);
  }
  print(flags, plan, work, model.plan(work.extent).flops, gflops);
}

/// The file itself, or the largest in the directory.
static std::filesystem::path largest_file(std::filesystem::path const& model) {
  if (!std::filesystem::is_directory(model)) return model;
  std::filesystem::path largest;
  std::uintmax_t bytes = 0;
  for (auto const& entry : std::filesystem::directory_iterator(model))
    if (entry.is_regular_file() && entry.file_size() >= bytes) {
      bytes = entry.file_size();
      largest = entry.path();
    }
  return largest;
}

/// Plans for a model that is there, and for its data if --data names them.
static void plan_model(PlanFlags& flags) {
  Session session = open_session(flags.model);
  std::optional<graft::ChatData> data;
  if (!flags.data.empty()) {
    graft::ChatDataOptions options;
    options.batch_size = flags.batch_size;
    options.max_length = flags.max_length;
    options.seed = flags.seed;
    options.shuffle = !flags.no_shuffle;
    options.gradient_accumulation = flags.gradient_accumulation;
    options.chat_format = chosen_format(flags.model, session.tokenizer());
    data.emplace(flags.data, session.tokenizer(), options);
    std::cerr << data->report();
  }
  auto const program = static_cast<std::size_t>(graft::resident_bytes());
  build(session, adapter_of(flags), flags.init_adapter);
  session.model->set_recompute(recompute_of(flags));
  page_activations(flags, *session.model);
  Index micro_batches = 1;
  if (flags.memory_limit > 0) {
    graft::require(data.has_value(), "plan", "--memory-limit cuts steps of records: name them by --data");
    RunOptions ignored;
    micro_batches = fit_run<graft::TokenBatch>(flags, ignored, program, data->steps_per_epoch(), *session.model, *data);
  }
  Work work = work_of(flags, data ? &*data : nullptr);
  auto const plan = graft::plan_memory(*session.model, work.extent, state_bytes(flags), program);
  work.disk_bytes = disk_bytes(plan, micro_batches);
  print(flags, plan, work, session.model->plan(work.extent).flops, graft::measured_gemm_gflops(*session.backend),
        plan.streamed > 0 ? graft::measured_disk_rate(largest_file(flags.model.model)) : 0);
}

static void plan(PlanFlags& flags) {
  std::filesystem::path const path = flags.model.model;
  if (!std::filesystem::exists(path)) return plan_sizes(flags, published_sizes(flags.model.model));
  if (path.filename() == "config.json") return plan_sizes(flags, graft::read_hf_config(path));
  plan_model(flags);
}

void add_plan(CLI::App& app) {
  auto const flags = std::make_shared<PlanFlags>();
  auto* command = app.add_subcommand("plan", "memory and time of a training run, before it runs");
  auto const groups = add_training_flags(*command, *flags);
  command->get_option("--model")->description("GGUF file, Hugging Face directory, config.json, or one of " + graft::geometry_names());
  for (auto* group : {groups.data, groups.run})
    for (auto* option : group->get_options()) option->required(false);
  command->add_option("--base-format", flags->base_format, "how the linear weights of a model without files are stored")->capture_default_str();
  command->add_flag("--json", flags->json, "a JSON line instead of a table");
  command->callback([flags] { plan(*flags); });
}

}  // namespace cli
