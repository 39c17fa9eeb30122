// SPDX-License-Identifier: Apache-2.0
#include "training_setup.hpp"

#include <graft/optim/adafactor.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/adamw8bit.hpp>
#include <graft/optim/lion.hpp>
#include <graft/optim/lion8bit.hpp>
#include <graft/optim/sgd.hpp>

cli::Optimizer cli::bind_optimizer(TrainingFlags const& flags, graft::Trainable<float, Backend> const& trainable) {
  auto const bound = [&](auto const& spec) { return Optimizer(spec, trainable); };
  double const decay = flags.weight_decay;
  if (flags.optimizer == "adamw") return bound(graft::AdamW{.weight_decay = decay});
  if (flags.optimizer == "sgd") return bound(graft::Sgd{.momentum = flags.momentum, .weight_decay = decay});
  if (flags.optimizer == "adafactor") return bound(graft::Adafactor{.weight_decay = decay});
  if (flags.optimizer == "adamw8bit") return bound(graft::AdamW8bit{.weight_decay = decay});
  if (flags.optimizer == "lion8bit") return bound(graft::Lion8bit{.weight_decay = decay});
  return bound(graft::Lion{.weight_decay = decay});
}
