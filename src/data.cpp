// SPDX-License-Identifier: Apache-2.0
#include <graft/data/batch_plan.tpp>
#include <graft/data/byte_source.tpp>
#include <graft/data/chat_data.tpp>
#include <graft/data/dataset.tpp>
#include <graft/data/dataset_report.tpp>
#include <graft/data/line_errors.tpp>
#include <graft/data/line_reader.tpp>
#include <graft/data/packing.tpp>
#include <graft/data/ranked_record.tpp>
#include <graft/data/record.tpp>
#include <graft/data/tokenize_record.tpp>
#include <graft/data/tool_json.tpp>
// read with functions of the record's
#include <graft/data/preference_record.tpp>
#include <graft/data/unpaired_record.tpp>
