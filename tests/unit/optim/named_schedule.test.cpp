// SPDX-License-Identifier: Apache-2.0
#include <graft/optim/named_schedule.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

using namespace graft;
using namespace graft::test;

TEST_CASE("named schedule: each name gives the schedule of that name") {
  ScheduleOptions const options{.peak_lr = 2, .warmup_steps = 4, .total_steps = 20};
  for (Index step = 0; step < 25; ++step) {
    CHECK(NamedSchedule("constant", {.peak_lr = 2})(step) == 2);
    CHECK(NamedSchedule("constant_with_warmup", options)(step) == ConstantWithWarmup{2, 4}(step));
    CHECK(NamedSchedule("linear", options)(step) == LinearWithWarmup{2, 4, 20}(step));
    CHECK(NamedSchedule("cosine", options)(step) == CosineWithWarmup{2, 4, 20}(step));
  }
  CHECK(NamedSchedule("cosine", {.peak_lr = 2, .total_steps = 20, .min_lr = 0.5})(20) == 0.5);
  CHECK(NamedSchedule("cosine_with_min_lr", {.peak_lr = 2, .total_steps = 20, .min_lr = 0.5})(20) == 0.5);
  CHECK(NamedSchedule("cosine_with_restarts", {.peak_lr = 2, .total_steps = 20, .cycles = 2})(10) == 2);
  CHECK(NamedSchedule("polynomial", {.peak_lr = 2, .total_steps = 20, .power = 2})(10) == 0.5);
  CHECK(NamedSchedule("inverse_sqrt", {.peak_lr = 2, .warmup_steps = 4})(16) == 1);
  NamedSchedule const wsd("warmup_stable_decay", {.peak_lr = 2, .warmup_steps = 4, .total_steps = 20, .min_lr = 1, .decay_steps = 4});
  CHECK(wsd(0) == 1);
  CHECK(wsd(15) == 2);
  CHECK(wsd(18) == doctest::Approx(1.5));
  CHECK(wsd(20) == 1);
}

TEST_CASE("named schedule: a wrong name lists the right ones and numbers that do not fit are refused") {
  auto const says = [](std::string_view name, ScheduleOptions const& options) {
    return message_of([&] { NamedSchedule(name, options); });
  };
  CHECK(says("cosin", {.total_steps = 1}) ==
        "[schedule] the schedule must be one of " + std::string(NamedSchedule::names) + ": got 'cosin'");
  CHECK(says("", {}).find("got ''") != std::string::npos);
  CHECK(says("linear", {}).find("got total_steps=0 warmup_steps=0") != std::string::npos);
  CHECK(says("cosine", {.warmup_steps = 9, .total_steps = 8}).find("total_steps=8 warmup_steps=9") !=
        std::string::npos);
  CHECK(says("linear", {.warmup_steps = -1, .total_steps = 8}).find("got -1") != std::string::npos);
  CHECK(says("linear", {.total_steps = 8, .cycles = 2}).find("only cosine_with_restarts has cycles") != std::string::npos);
  CHECK(says("cosine", {.total_steps = 8, .power = 2}).find("only polynomial has a power") != std::string::npos);
  CHECK(says("cosine", {.total_steps = 8, .timescale = 2}).find("only inverse_sqrt has a timescale") != std::string::npos);
  CHECK(says("cosine", {.total_steps = 8, .decay_steps = 2}).find("only warmup_stable_decay has decay_steps") != std::string::npos);
  CHECK(says("warmup_stable_decay", {.warmup_steps = 2, .total_steps = 8, .decay_steps = 7}).find("decay_steps must be in 1..6") !=
        std::string::npos);
  CHECK(says("constant", {.warmup_steps = 3}).find("use constant_with_warmup") != std::string::npos);
  CHECK(says("constant", {.peak_lr = -1}).find("got -1") != std::string::npos);
  CHECK(says("constant", {.peak_lr = std::nan("")}).find("learning rate") != std::string::npos);
  CHECK(says("cosine", {.peak_lr = 1, .total_steps = 8, .min_lr = 2}).find("min_lr must be in [0, 1]: got 2") !=
        std::string::npos);
  CHECK(says("linear", {.peak_lr = 1, .total_steps = 8, .min_lr = 0.5}).find("only cosine, polynomial and warmup_stable_decay have a min_lr: got 0.5 for linear") !=
        std::string::npos);
}
