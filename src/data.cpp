// SPDX-License-Identifier: Apache-2.0
#include <graft/data/byte_source.tpp>
#include <graft/data/dataset_report.tpp>
#include <graft/data/ranked_record.tpp>
#include <graft/data/record.tpp>
// reads with functions of the one above
#include <graft/data/preference_record.tpp>
