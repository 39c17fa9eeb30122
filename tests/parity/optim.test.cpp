// SPDX-License-Identifier: Apache-2.0
// Ten steps of each optimizer against torch, and every schedule against transformers; made by make_optimizers.py.
#include <graft/optim/adafactor.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/bind.hpp>
#include <graft/optim/lion.hpp>
#include <graft/optim/named_schedule.hpp>
#include <graft/optim/sgd.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <support/files.hpp>
#include <support/toy_params.hpp>

#include <algorithm>
#include <cmath>

using namespace graft;
using namespace graft::test;
using nlohmann::json;

namespace graft::test {

/// The largest |ours - torch's| / (1 + |torch's|) over all steps and elements of one recorded run, computed in T.
template <Scalar T, class O>
double replay(json const& file, json const& run, O const& spec) {
  ToyParams<T> params;
  std::vector<std::string> const names{"matrix", "vector"};
  for (auto const& name : names) {
    auto const shape = file["shapes"][name].get<std::vector<Index>>();
    bool const matrix = shape.size() == 2;  // torch decays every parameter of a group
    params.add(name, matrix ? shape[0] : 1, shape.back(), file["initial"][name].get<std::vector<T>>(), true);
  }
  auto optimizer = bind(spec, params.trainable());
  auto const& rate = run["settings"]["lr"];
  double const lr = rate.is_null() ? 1.0 : rate.get<double>();  // Adafactor's own step
  double worst = 0;
  for (std::size_t step = 0; step < run["after_step"].size(); ++step) {
    for (std::size_t i = 0; i < names.size(); ++i)
      params.set_grad(i, file["gradients"][step][names[i]].get<std::vector<T>>());
    optimizer.step(lr);
    for (std::size_t i = 0; i < names.size(); ++i) {
      auto const expected = run["after_step"][step][names[i]].get<std::vector<double>>();
      auto const got = params.value(i);
      REQUIRE(got.size() == expected.size());
      for (std::size_t k = 0; k < got.size(); ++k)
        worst = std::max(worst, std::abs(double{got[k]} - expected[k]) / (1 + std::abs(expected[k])));
    }
  }
  return worst;
}

template <Scalar T>
double replay_named(json const& file, json const& run) {
  auto const& s = run["settings"];
  auto const name = run["name"].get<std::string>();
  double const decay = s.value("weight_decay", 0.0);
  if (name.starts_with("adamw")) return replay<T>(file, run, AdamW{s["betas"][0], s["betas"][1], s["eps"], decay});
  if (name.starts_with("adafactor"))
    return replay<T>(file, run,
                     Adafactor{.eps1 = s["eps"][0], .eps2 = s["eps"][1], .clip_threshold = s["clip_threshold"], .decay_rate = s["decay_rate"],
                               .beta1 = s["beta1"].is_null() ? 0.0 : s["beta1"].get<double>(), .weight_decay = decay,
                               .scale_parameter = s["scale_parameter"], .relative_step = s["relative_step"],
                               .warmup_init = s["warmup_init"]});
  if (name.starts_with("lion")) return replay<T>(file, run, Lion{s["betas"][0], s["betas"][1], decay});
  return replay<T>(file, run,
                   Sgd{s.value("momentum", 0.0), s.value("dampening", 0.0), decay, s.value("nesterov", false)});
}

}  // namespace graft::test

TEST_CASE("optim parity: ten steps of AdamW, SGD, Lion and Adafactor equal torch's in double and follow them in float") {
  auto const file = json::parse(read_file(fixtures / "optim/optimizers.json"));
  int seen = 0;
  for (auto const& run : file["runs"]) {
    auto const name = run["name"].get<std::string>();
    INFO(name);
    CHECK(replay_named<double>(file, run) <= 1e-12);
    CHECK(replay_named<float>(file, run) <= 2e-6);
    ++seen;
  }
  CHECK(seen == 12);
}

TEST_CASE("optim parity: schedules equal transformers' at every step of a run") {
  auto const file = json::parse(read_file(fixtures / "optim/schedules.json"));
  double const peak = file["peak_learning_rate"].get<double>();
  auto const shape_of = [](std::string const& name) {
    return name == "linear" ? RampShape::linear : name == "cosine" ? RampShape::cosine : RampShape::one_minus_sqrt;
  };
  int seen = 0;
  for (auto const& entry : file["schedules"]) {
    if (entry["name"] == "cosine_three_halves") continue;  // graft's cosine has one half
    INFO(entry["name"].get<std::string>());
    auto const& s = entry["settings"];
    auto const kind = entry["kind"].get<std::string>();
    Index const stable_end = s.value("num_warmup_steps", Index{0}) + s.value("num_stable_steps", Index{0});
    ScheduleOptions const options{.peak_lr = peak,
                                  .warmup_steps = s.value("num_warmup_steps", Index{0}),
                                  .total_steps = s.value("num_training_steps", stable_end + s.value("num_decay_steps", Index{0})),
                                  .min_lr = s.value("min_lr", s.value("lr_end", peak * s.value("min_lr_rate", s.value("min_lr_ratio", 0.0)))),
                                  .cycles = s.value("num_cycles", 1.0),
                                  .power = s.value("power", 1.0),
                                  .timescale = s.value("timescale", Index{0}),
                                  .decay_steps = s.value("num_decay_steps", Index{0}),
                                  .warmup_shape = shape_of(s.value("warmup_type", "linear")),
                                  .decay_shape = shape_of(s.value("decay_type", "cosine"))};
    NamedSchedule const schedule(kind, options);
    auto const rates = entry["learning_rates"].get<std::vector<double>>();
    // Past the end of a run transformers' cosine rises again; ours stays at min_lr.
    std::size_t const end = kind == "cosine" || kind == "cosine_with_min_lr" ? 21 : rates.size();
    for (std::size_t step = 0; step < end; ++step) CHECK(std::abs(schedule(step) - rates[step]) <= 1e-14 * peak);
    ++seen;
  }
  CHECK(seen == 17);
}
