// SPDX-License-Identifier: Apache-2.0
// expect: a sentence that no compiler prints
int main() { static_assert(sizeof(int) == 0, "another sentence"); }
