// SPDX-License-Identifier: Apache-2.0
#include "training_setup.hpp"

#include <graft/optim/adafactor.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/adamw8bit.hpp>
#include <graft/optim/lion.hpp>
#include <graft/optim/lion8bit.hpp>
#include <graft/optim/paged.hpp>
#include <graft/optim/sgd.hpp>

cli::Optimizer cli::bind_optimizer(TrainingFlags const& flags, graft::Trainable<float, Backend> const& trainable) {
  double const decay = flags.weight_decay;
  if (flags.optimizer == "sgd")
    return Optimizer(graft::Sgd{.momentum = flags.momentum, .weight_decay = decay}, trainable);
  if (flags.optimizer == "adafactor") return Optimizer(graft::Adafactor{.weight_decay = decay}, trainable);
  std::string const name = unpaged(flags.optimizer);
  auto const bound = [&](auto const& spec) {
    if (name == flags.optimizer) return Optimizer(spec, trainable);
    return Optimizer(graft::Paged{spec, page_directory(flags)}, trainable);
  };
  if (name == "adamw") return bound(graft::AdamW{.weight_decay = decay});
  if (name == "adamw8bit") return bound(graft::AdamW8bit{.weight_decay = decay});
  if (name == "lion8bit") return bound(graft::Lion8bit{.weight_decay = decay});
  return bound(graft::Lion{.weight_decay = decay});
}
