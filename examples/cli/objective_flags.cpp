// SPDX-License-Identifier: Apache-2.0
#include "objective_flags.hpp"

namespace cli {

static std::vector<std::string> const pair_losses{"sigmoid", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard", "aot",
                                                  "aot_unpaired", "apo_zero", "apo_down", "discopop", "sft", "sigmoid_norm", "orpo", "simpo", "cpo"};

void add_objective_flags(CLI::Option_group& group, ObjectiveFlags& flags) {
  group.add_option("--loss", flags.loss, "one or several of: " + CLI::detail::join(pair_losses, ", "))
      ->check(CLI::IsMember(pair_losses))->delimiter(',')->capture_default_str();
  group.add_option("--loss-weights", flags.loss_weights, "one for each loss; default: all 1")->delimiter(',');
  group.add_option("--label-smoothing", flags.label_smoothing, "share of pairs taken to be swapped (sigmoid, robust, exo_pair, aot, cpo, simpo)")
      ->capture_default_str();
  group.add_option("--f-divergence", flags.f_divergence, "what holds the policy near the reference")
      ->check(CLI::IsMember({"reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"}))->capture_default_str();
  group.add_option("--f-alpha", flags.f_alpha, "of alpha_divergence")->capture_default_str();
  group.add_option("--ld-alpha", flags.ld_alpha, "factor of tokens beyond the shorter answer's length")->capture_default_str();
  group.add_option("--rpo-alpha", flags.rpo_alpha, "adds so much of the chosen answers' NLL")->capture_default_str();
  group.add_option("--discopop-tau", flags.discopop_tau, "temperature of discopop")->capture_default_str();
  group.add_option("--simpo-gamma", flags.simpo_gamma, "margin of simpo")->capture_default_str();
  group.add_option("--cpo-alpha", flags.cpo_alpha, "weight of cpo's NLL")->capture_default_str();
  group.add_flag("--reference-free", flags.reference_free, "no reference: all answers are equally likely to it");
  group.add_flag("--use-weighting", flags.use_weighting, "WPO: pairs that the policy itself could have written count more (not with aot)");
}

void add_objective_options(RunOptions& options, ObjectiveFlags const& flags) {
  std::string weights;
  for (double const weight : flags.loss_weights) weights += std::to_string(weight) + " ";
  set_option(options, "loss", CLI::detail::join(flags.loss, ","));
  set_option(options, "loss-weights", weights);
  set_option(options, "label-smoothing", flags.label_smoothing);
  set_option(options, "f-divergence", flags.f_divergence);
  set_option(options, "f-alpha", flags.f_alpha);
  set_option(options, "ld-alpha", flags.ld_alpha);
  set_option(options, "rpo-alpha", flags.rpo_alpha);
  set_option(options, "discopop-tau", flags.discopop_tau);
  set_option(options, "simpo-gamma", flags.simpo_gamma);
  set_option(options, "cpo-alpha", flags.cpo_alpha);
  set_option(options, "reference-free", flags.reference_free);
  set_option(options, "use-weighting", flags.use_weighting);
}

static graft::AnyObjective objective_of(std::string const& name, ObjectiveFlags const& flags) {
  double const smoothing = flags.label_smoothing;
  if (name == "sigmoid") return graft::DpoSigmoid{smoothing};
  if (name == "hinge") return graft::DpoHinge{};
  if (name == "ipo") return graft::Ipo{.length_normalized = flags.ipo_of_means};
  if (name == "exo_pair") return graft::ExoPair{smoothing > 0 ? smoothing : graft::ExoPair{}.label_smoothing};
  if (name == "nca_pair") return graft::NcaPair{};
  if (name == "robust") return graft::RobustDpo{smoothing};
  if (name == "bco_pair") return graft::BcoPair{};
  if (name == "sppo_hard") return graft::SppoHard{};
  if (name == "aot") return graft::Aot{smoothing};
  if (name == "aot_unpaired") return graft::AotUnpaired{smoothing};
  if (name == "apo_zero") return graft::ApoZero{};
  if (name == "apo_down") return graft::ApoDown{};
  if (name == "discopop") return graft::DiscoPop{flags.discopop_tau};
  if (name == "sft") return graft::ChosenNll{};
  if (name == "sigmoid_norm") return graft::SigmoidNorm{};
  if (name == "orpo") return graft::Orpo{};
  if (name == "simpo") return graft::SimPo{flags.simpo_gamma, smoothing};
  return graft::Cpo{smoothing, flags.cpo_alpha};
}

graft::Dpo<graft::ObjectiveSum> loss_of(ObjectiveFlags const& flags, double beta) {
  graft::require(flags.loss_weights.empty() || flags.loss_weights.size() == flags.loss.size(), "dpo", "--loss-weights must be one for each of ",
                 flags.loss.size(), " losses: got ", flags.loss_weights.size());
  graft::Dpo<graft::ObjectiveSum> loss{.beta = beta, .ld_alpha = flags.ld_alpha, .reference_free = flags.reference_free,
                                          .use_weighting = flags.use_weighting};
  for (std::size_t i = 0; i < flags.loss.size(); ++i)
    loss.objective.parts.push_back({objective_of(flags.loss[i], flags), flags.loss_weights.empty() ? 1 : flags.loss_weights[i]});
  if (flags.rpo_alpha != 0) loss.objective.parts.push_back({graft::ChosenNll{}, flags.rpo_alpha});
  using Kind = graft::Divergence::Kind;
  loss.divergence = {flags.f_divergence == "forward_kl"         ? Kind::forward_kl
                     : flags.f_divergence == "js_divergence"    ? Kind::js
                     : flags.f_divergence == "alpha_divergence" ? Kind::alpha
                                                                : Kind::reverse_kl,
                     flags.f_alpha};
  return loss;
}

}  // namespace cli
