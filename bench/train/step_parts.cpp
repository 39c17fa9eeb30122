// SPDX-License-Identifier: Apache-2.0
// Where the time and the FLOPs of a training step go: a table by part of the step, one by operation and shape, and a picture.
//   bench_train_step_parts [--model FILE] [--method lora|full] [--sequences 4] [--length 512] [--steps 3] [--threads N]
//                          [--backend auto|eigen|onednn|cuda] [--precision f32|bf16|int8|auto] [--svg FILE] [--smoke]
// Necessary FLOPs of a step on T tokens, N of them supervised: 2 for each multiply-add of
//   Σ over linear modules (in·out)·T, twice (y = x·wᵀ, dx = dy·w), three times where w is trained, less dx of the first
//   + 2·N·C·V, twice, of the head, four times where it is trained      + an adapter's own products
//   + pairs·heads·D, twice forward and five times backward, pairs = query–key pairs that the causal mask leaves.
// Norms, activations, softmax, rotation, optimizer and decoding of weights count as none.
#include "bench_model.hpp"
#include "flags.hpp"

#include <graft/adapter/selected.hpp>
#include <graft/backend/ceiling.hpp>
#include <graft/backend/default_backend.hpp>
#include <graft/backend/traced.hpp>
#include <graft/core/parallel.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/bind.hpp>
#include <graft/optim/clip.hpp>
#include <graft/quant/decode.hpp>
#include <graft/train/value_and_grad.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace graft::bench {

using Clock = std::chrono::steady_clock;

inline double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Part {
  std::string name;
  double seconds = 0, flops = 0;
};

/// The part of the step that an operation belongs to. A product over a panel of the vocabulary is the head's.
inline std::string part_of(TracedOperation const& op, ModelConfig const& config) {
  std::string const name(op.name);
  if (name.starts_with("softmax") || name == "token_stats") return "head: softmax";
  if (name.starts_with("linear")) {
    bool const forward = name == "linear_forward";
    Index const out = forward ? op.cols : op.inner;
    Index const q = config.num_attention_heads * config.head_dim, kv = config.num_key_value_heads * config.head_dim;
    if (out != q && out != kv && out != config.hidden_size && out != config.intermediate_size) return "head: products";
    return forward ? "linear: forward" : "linear: input gradient";
  }
  if (name == "gemm") return "adapter and weight gradients";
  if (name.starts_with("attention")) return name == "attention_forward" ? "attention: forward" : "attention: backward";
  if (name.find("norm") != std::string::npos) return "norms";
  if (name.starts_with("gated")) return "activation";
  if (name.starts_with("rope")) return "rotation";
  if (name.starts_with("embedding")) return "embedding, gathers";
  return "copies, sums, zeroing";
}

/// Seconds to decode every weight of a block format once: what is inside of the linear products, measured apart.
inline double decode_seconds(ModelFiles const& files, std::vector<WeightInfo> const& weights) {
  double total = 0;
  for (auto const& info : weights) {
    if (info.shape.size() < 2 || !is_quantized(info.storage)) continue;
    HostTensor const tensor = files.weights->get(info.name);
    std::vector<float> sink(static_cast<std::size_t>(tensor.rows() * tensor.cols()));
    auto const start = Clock::now();
    parallel_blocks(tensor.rows(), 64, [&](Index begin, Index end) {
      decode_rows(tensor.matrix(), begin, end, Out<float>(sink.data() + begin * tensor.cols(), end - begin, tensor.cols()));
    });
    total += since(start);
  }
  return total;
}

inline void write_svg(std::string const& path, std::vector<Part> const& parts, double seconds, double flops, std::string const& title) {
  std::ofstream svg(path);
  svg << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"900\" height=\"" << 60 + 34 * parts.size()
      << "\" font-family=\"sans-serif\" font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"10\" "
         "y=\"20\" font-size=\"14\">" << title << "</text><text x=\"10\" y=\"38\">dark: share of the time, light: share of the FLOPs</text>\n";
  double y = 50;
  for (auto const& part : parts) {
    double const time = 100 * part.seconds / seconds, work = 100 * part.flops / flops;
    char label[64];
    std::snprintf(label, sizeof label, "%.1f %% of time, %.1f %% of FLOPs", time, work);
    svg << "<text x=\"220\" y=\"" << y + 18 << "\" text-anchor=\"end\">" << part.name << "</text><rect x=\"230\" y=\"" << y + 2
        << "\" width=\"" << 4.2 * time << "\" height=\"13\" fill=\"#1f5fa8\"/><rect x=\"230\" y=\"" << y + 16 << "\" width=\""
        << 4.2 * work << "\" height=\"10\" fill=\"#b9c4d0\"/><text x=\"" << 236 + 4.2 * std::max(time, work) << "\" y=\"" << y + 18
        << "\">" << label << "</text>\n";
    y += 34;
  }
  svg << "</svg>\n";
  require(svg.good(), "bench", "cannot write ", path);
}

inline int run(Flags const& flags) {
  if (flags.set("threads")) set_num_threads(static_cast<int>(flags.number("threads")));
  bool const smoke = flags.set("smoke"), full = flags.text("method") == "full";
  require(full || flags.text("method") == "lora", "bench", "--method must be lora or full: got ", flags.text("method"));
  Index const sequences = smoke ? 2 : flags.number("sequences"), length = smoke ? 16 : flags.number("length");
  Index const steps = smoke ? 1 : flags.number("steps");
  Traced<DefaultBackend> backend(DefaultBackend::named(flags.text("backend"), flags.text("precision")));
  Selected const adapter{full ? Method::full : Method::lora, Lora{.rank = 16, .alpha = 32, .target_modules = all_linear}};
  auto const model = bench_model(flags.text("model"), smoke, adapter, backend);
  auto optimizer = bind(AdamW{}, model->trainable());
  auto const batch = dense_batch(model->config(), sequences, length);
  double const planned = model->plan(batch).flops;
  double const ceiling = 1e9 * static_cast<double>(measured_gemm_gflops(backend.inner()));

  std::map<std::string, Part> parts;
  std::vector<TracedOperation> operations;
  double seconds = 0, flops = 0;
  for (Index step = 0; step <= steps; ++step) {  // the first one warms up
    backend.reset();
    auto start = Clock::now();
    (void)value_and_grad(*model, CrossEntropy{}, batch);
    double const passes = since(start);
    auto const done = backend.operations();
    start = Clock::now();
    (void)clip_grad_norm(model->trainable(), 1.0);
    optimizer.step(2e-4);
    double const update = since(start);
    double known = 0, work = 0;
    for (auto const& op : done) {
      known += op.seconds;
      work += op.flops;
    }
    require(std::abs(work - planned) <= 1e-9 * planned, "bench", "the step did ", work, " FLOPs, the plan says ", planned);
    require(known <= passes, "bench", "the operations took ", known, " s of a pass of ", passes, " s");
    if (step == 0) continue;
    for (auto const& op : done) {
      auto& part = parts[part_of(op, model->config())];
      part.seconds += op.seconds;
      part.flops += op.flops;
    }
    parts["optimizer and clipping"].seconds += update;
    parts["between operations"].seconds += passes - known;
    seconds += passes + update;
    flops += work;
    operations = done;
  }

  std::vector<Part> rows;
  for (auto const& [name, part] : parts) rows.push_back({name, part.seconds, part.flops});
  std::sort(rows.begin(), rows.end(), [](Part const& a, Part const& b) { return a.seconds > b.seconds; });
  auto const n = static_cast<double>(steps);
  double const tokens = static_cast<double>(batch.tokens()) * n;
  std::printf("%s step, %td x %td tokens, %s, %d threads, mean of %td steps: %.3f s, %.0f tok/s\n", full ? "full fine-tuning" : "LoRA r16",
              sequences, length, backend.inner().description().c_str(), num_threads(), steps, seconds / n, tokens / seconds);
  std::printf("necessary FLOPs %.4g (the plan's), %.1f GFLOP/s, ceiling %.1f GFLOP/s: share %.1f %%\n\n", flops / n, 1e-9 * flops / seconds,
              1e-9 * ceiling, 100 * flops / seconds / ceiling);
  std::printf("| part | ms | of time | of FLOPs | GFLOP/s |\n|---|---:|---:|---:|---:|\n");
  for (auto const& part : rows)
    std::printf("| %s | %.1f | %.1f %% | %.1f %% | %.0f |\n", part.name.c_str(), 1e3 * part.seconds / n, 100 * part.seconds / seconds,
                100 * part.flops / flops, 1e-9 * part.flops / part.seconds);
  if (!flags.text("model").empty()) {
    double const decode = decode_seconds(open_model(flags.text("model")), model->weights());
    std::printf("\nDecoding all block-format weights once takes %.1f ms when measured apart; the linear products hold that at least "
                "twice, %.1f %% of the step.\n", 1e3 * decode, 100 * 2 * decode / (seconds / n));
  }
  std::printf("\nThe last step, by operation and shape:\n\n| operation | rows × cols × inner | calls | ms | of time | GFLOP/s | GB/s |\n"
              "|---|---|---:|---:|---:|---:|---:|\n");
  std::sort(operations.begin(), operations.end(), [](auto const& a, auto const& b) { return a.seconds > b.seconds; });
  for (auto const& op : operations)
    std::printf("| %s | %td × %td × %td | %td | %.2f | %.1f %% | %.0f | %.1f |\n", std::string(op.name).c_str(), op.rows, op.cols, op.inner,
                op.calls, 1e3 * op.seconds, 100 * op.seconds / (seconds / n), 1e-9 * op.flops / op.seconds, 1e-9 * op.bytes / op.seconds);
  if (!flags.text("svg").empty())
    write_svg(flags.text("svg"), rows, seconds, flops, full ? "Full fine-tuning step" : "LoRA r16 step");
  return 0;
}

}  // namespace graft::bench

int main(int argc, char** argv) {
  try {
    return graft::bench::run({argc, argv, {{"model", ""}, {"method", "lora"}, {"sequences", "4"}, {"length", "512"}, {"steps", "3"},
                                           {"threads", ""}, {"backend", "auto"}, {"precision", "f32"}, {"svg", ""}, {"smoke", ""}}});
  } catch (graft::Error const& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
