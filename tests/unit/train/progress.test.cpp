// SPDX-License-Identifier: Apache-2.0
#include <graft/train/progress.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

using namespace graft;

TEST_CASE("progress: the line says step, loss, rate, throughput, share of the ceiling, remaining time and memory") {
  std::ostringstream out;
  Progress progress(out, {.total_steps = 400, .ceiling_flops = 100e9});
  progress.update({.step = 119, .loss = 2, .learning_rate = 1e-4, .tokens = 100, .flops = 10e9, .seconds = 0.5});
  progress.update({.step = 120, .loss = 1.23456, .learning_rate = 2e-4, .tokens = 200, .flops = 30e9, .seconds = 0.5});
  CHECK(progress.line(812 << 20) ==
        "step 120/400  loss 1.2346  lr 2.00e-04  300 tok/s  40.0 GFLOP/s (40 % of float ceiling)  ETA 2:20  RSS 812 MiB");
}

TEST_CASE("progress: what is unknown is left out") {
  std::ostringstream out;
  Progress progress(out, {});
  CHECK(progress.line(0).empty());
  progress.update({.step = 3, .loss = 1, .tokens = 10, .seconds = 2});
  CHECK(progress.line(Index{3} << 30) == "step 3  loss 1.0000  lr 0.00e+00  5 tok/s  RSS 3.00 GiB");
}

TEST_CASE("progress: the rate is a mean of the last steps only") {
  std::ostringstream out;
  Progress progress(out, {.total_steps = 1000});
  for (Index step = 1; step <= 10; ++step) progress.update({.step = step, .tokens = 1, .seconds = 100});
  for (Index step = 11; step <= 10 + Progress::window; ++step)
    progress.update({.step = step, .tokens = 50, .seconds = 0.5});
  CHECK(progress.line(0).find("  100 tok/s  ETA 8:07") != std::string::npos);
}

TEST_CASE("progress: without a terminal a run gives about 20 plain lines, the first and the last among them") {
  std::ostringstream out;
  {
    Progress progress(out, {.total_steps = 1000});
    for (Index step = 1; step <= 1000; ++step) progress.update({.step = step, .tokens = 1, .seconds = 1});
    progress.message("note");
  }
  auto const text = out.str();
  CHECK(std::count(text.begin(), text.end(), '\n') == 22);
  CHECK(text.find('\r') == std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.starts_with("step 1/1000"));
  CHECK(text.find("\nstep 1000/1000") != std::string::npos);
  CHECK(text.ends_with("\nnote\n"));
}

TEST_CASE("progress: on a terminal one line is rewritten, a message clears it, and the end closes it") {
  std::ostringstream out;
  {
    Progress progress(out, {.total_steps = 3, .terminal = true});
    progress.update({.step = 1, .tokens = 1, .seconds = 1});
    progress.message("evaluated");
    progress.update({.step = 2, .tokens = 1, .seconds = 1});
  }
  auto const text = out.str();
  CHECK(text.starts_with("\rstep 1/3"));
  CHECK(text.find("\r\x1b[Kevaluated\n\rstep 2/3") != std::string::npos);
  CHECK(text.ends_with("\x1b[K\n"));
}

TEST_CASE("progress: durations and sizes read well at every scale, and nonsense is a question mark") {
  CHECK(format_duration(0.2) == "0 s");
  CHECK(format_duration(59.4) == "59 s");
  CHECK(format_duration(59.6) == "1:00");
  CHECK(format_duration(187) == "3:07");
  CHECK(format_duration(7387) == "2:03:07");
  CHECK(format_duration(-1) == "?");
  CHECK(format_duration(std::nan("")) == "?");
  CHECK(format_duration(1e300) == "?");
  CHECK(format_bytes(1.5 * 0x1p20) == "2 MiB");
  CHECK(format_bytes(2.5 * 0x1p30) == "2.50 GiB");
}
