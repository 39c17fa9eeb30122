// SPDX-License-Identifier: Apache-2.0
#include <graft/train/ai_feedback.tpp>
#include <graft/train/answer_score.tpp>
#include <graft/train/comparison_report.tpp>
#include <graft/train/constitution.tpp>
#include <graft/train/loss_curve.tpp>
#include <graft/train/metrics_log.tpp>
#include <graft/train/trainer_state.tpp>
#include <graft/train/verifiable_rewards.tpp>
