// SPDX-License-Identifier: Apache-2.0
// The words of which make_tickets.cpp builds customer messages. {product} and {order} stand for the entities.
#pragma once

#include <array>
#include <span>
#include <string_view>

namespace tickets {

using Words = std::span<std::string_view const>;

struct Intent {
  std::string_view name;
  std::array<std::string_view, 6> bodies;
};

inline constexpr std::array<Intent, 8> intents{{
    {"refund",
     {"I'd like my money back for the {product}, order {order}.",
      "Please refund order {order}, the {product} is not what I expected.",
      "I sent the {product} from {order} back two weeks ago, when do I get my refund?",
      "The {product} is useless to me. I want a refund for {order}.",
      "Order {order}: I returned the {product} and still wait for the money.",
      "Can you give me my money back? The {product} was poor. Order number {order}."}},
    {"exchange",
     {"Could I swap the {product} from order {order} for another colour?",
      "The {product} in {order} is too small, please exchange it for a larger one.",
      "I got the wrong {product}. Please exchange it, the order is {order}.",
      "I'd like to exchange the {product}, order {order}, for the other model.",
      "Order {order}: can I trade the {product} in for the bigger size?",
      "Wrong colour! I wanted the blue {product} with {order}. Can you swap it?"}},
    {"cancel",
     {"Please cancel order {order}, I no longer need the {product}.",
      "I ordered the {product} by mistake, {order}. Can you cancel it before it ships?",
      "Stop order {order} please. I found the {product} cheaper elsewhere.",
      "I want to cancel the {product} I ordered yesterday, number {order}.",
      "My son ordered the {product} without asking. Please cancel {order}.",
      "Can I still call off {order}? I changed my mind about the {product}."}},
    {"tracking",
     {"Where is my {product}? Order {order} should be here by now.",
      "I'm still waiting for the {product} from order {order}. When does it arrive?",
      "The tracking page for {order} shows nothing. Has the {product} been sent?",
      "Order {order} has not come yet. Could you check where the {product} is?",
      "When will you deliver the {product}? My order is {order}.",
      "It has been ten days and no {product}. What happened to {order}?"}},
    {"invoice",
     {"I need an invoice for the {product}, order {order}.",
      "Could you email me the receipt for {order}? It was for the {product}.",
      "My company needs a bill for the {product} with our tax number. Order {order}.",
      "There was no invoice in the box with the {product}. Order number {order}.",
      "Please send the invoice of order {order} again, the one for the {product}.",
      "For my taxes I need a receipt of the {product}, {order}."}},
    {"repair",
     {"My {product} from order {order} stopped working. Can you repair it?",
      "The {product} makes a strange noise. I'd like it fixed under warranty, order {order}.",
      "Order {order}: the {product} won't turn on any more. Where do I send it for repair?",
      "The {product} broke after a month. Please fix it, order {order}.",
      "Do you repair the {product}? Mine fell, it was order {order}.",
      "The handle of my {product} came off. Can it be mended? Order {order}."}},
    {"address",
     {"Please send order {order} to my new address, I moved. It's the {product}.",
      "I typed the wrong street for {order}. Can you change where the {product} goes?",
      "Can the {product} go to my office instead? Order {order}.",
      "I need to change the delivery address of order {order}, the {product}.",
      "We moved last week, please update the address for the {product}, {order}.",
      "The house number in order {order} is wrong, please correct it so the {product} gets here."}},
    {"missing",
     {"A part of the {product} was missing from the box. Order {order}.",
      "Order {order} came without the screws for the {product}.",
      "The box of the {product} was incomplete, {order}. Please send what is missing.",
      "I opened order {order} and the cable of the {product} isn't there.",
      "There is no manual with the {product} and one piece is missing. Order {order}.",
      "Only half of order {order} arrived, the lid of the {product} is missing."}},
}};

inline constexpr std::array<std::string_view, 8> greetings{
    "Hi, ", "Hello, ", "Hello there. ", "Good morning. ", "Dear team, ", "Hey, ", "", ""};

inline constexpr std::array<std::string_view, 10> high_priority{" This is urgent.",
                                                                " I need an answer today.",
                                                                " Please hurry!",
                                                                " I need it before Friday.",
                                                                " As soon as possible, please.",
                                                                " It can't wait.",
                                                                " I leave tomorrow morning.",
                                                                " Please reply right away.",
                                                                " It's for a party this weekend!",
                                                                " I need this solved by tonight."};

inline constexpr std::array<std::string_view, 6> low_priority{" No rush.",          " Take your time.",
                                                              " There's no hurry.", " Whenever it suits you.",
                                                              " It is not urgent.", " Any time this month is fine."};

/// Sentences that decide nothing. {other} is a person who does not sign; {date} is a day of the past.
inline constexpr std::array<std::string_view, 10> asides{" I bought it on {date}.",
                                                         " It was a gift for {other}.",
                                                         " I paid by card.",
                                                         " I have been a customer for years.",
                                                         " The parcel was left with {other}.",
                                                         " I ordered it on {date}.",
                                                         " Thank you for your help.",
                                                         " Please let me know.",
                                                         " {other} recommended your shop.",
                                                         " I called on {date} already."};

inline constexpr std::array<std::string_view, 8> signatures{" Best, {name}",    " Thanks, {name}", " - {name}",
                                                            " Regards, {name}", " {name}",         " Yours, {name}",
                                                            "\n{name}",         " Cheers, {name}"};

inline constexpr std::array<std::string_view, 12> months{"January",   "February", "March",    "April",
                                                         "May",       "June",     "July",     "August",
                                                         "September", "October",  "November", "December"};

/// Entities of one part of the data; those of different parts have no element in common. A part with `kinds` and `things`
/// makes half of its products of one of each: with so many, copying is easier to learn than remembering.
struct Pool {
  Words products;
  Words kinds;
  Words things;
  Words first_names;
  Words last_names;
};

inline constexpr std::array<std::string_view, 44> train_products{
    "rice cooker",   "desk lamp",    "yoga mat",        "hiking pole",    "coffee grinder", "phone case",
    "garden hose",   "office chair", "water bottle",    "wool blanket",   "bike helmet",    "cutting board",
    "wall clock",    "laptop stand", "electric kettle", "picture frame",  "rain jacket",    "tea pot",
    "air fryer",     "door mat",     "travel pillow",   "baby monitor",   "floor lamp",     "running vest",
    "camping stove", "hair dryer",   "shower curtain",  "bread knife",    "dog leash",      "chess set",
    "paint roller",  "music stand",  "leather belt",    "sewing machine", "beach towel",    "tool box",
    "spice rack",    "book shelf",   "toy train",       "swim mask",      "fishing rod",    "table cloth",
    "guitar strap",  "alarm clock"};
inline constexpr std::array<std::string_view, 24> train_kinds{
    "wooden",  "folding", "leather", "steel",  "portable", "cordless", "small",  "outdoor", "cotton", "antique", "digital", "double",
    "plastic", "heavy",   "silver",  "rolling", "glass",   "vintage",  "padded", "tall",    "bamboo", "ceramic", "hanging", "striped"};
inline constexpr std::array<std::string_view, 36> train_things{
    "kettle",  "jacket", "wallet",  "mirror", "ladder", "pillow",  "radio",   "backpack", "bucket", "candle", "carpet",   "drawer",
    "fan",     "heater", "hammer",  "iron",   "jug",    "keyboard", "lantern", "mug",     "necklace", "oven", "pan",      "rug",
    "scarf",   "shelf",  "skillet", "sofa",   "speaker", "stool",  "suitcase", "tray",    "tripod", "umbrella", "vase",   "whisk"};
inline constexpr std::array<std::string_view, 8> valid_products{
    "milk frother", "tent lamp", "flower pot", "ski helmet", "desk fan", "cheese grater", "card game", "sun hat"};
inline constexpr std::array<std::string_view, 20> test_products{
    "toaster oven", "ink cartridge", "sleeping bag",   "waffle iron",    "bar stool",     "winter coat", "soup ladle",
    "car charger",  "piano bench",   "vacuum cleaner", "night light",    "tennis racket", "salad bowl",  "power drill",
    "window blind", "lunch box",     "kids tricycle",  "bathroom scale", "photo album",   "garden gnome"};

inline constexpr std::array<std::string_view, 76> train_first_names{
    "Maria", "James",  "Sofia", "Peter",  "Anna",   "David", "Laura",  "Thomas", "Elena",  "Mark",  "Julia",
    "Paul",  "Emma",   "Lucas", "Nina",   "Robert", "Sara",  "Daniel", "Alice",  "Victor", "Clara", "Simon",
    "Helen", "Martin", "Rosa",  "George", "Ines",   "Adam",  "Fatima", "Henry",  "Mei",    "Oscar", "Priya",
    "Leo",   "Hana",   "Frank", "Olga",   "Carlos", "Ruth",  "Ivan",   "Greta",  "Ahmed",  "Diane", "Yusuf",
    "Edith", "Amina",  "Eric",  "Isabel", "Hector", "Beatriz", "Wei",   "Agnes",  "Igor",  "Zainab", "Noah",  "Ursula",
    "Hamid", "Lena",   "Erik",  "Tamara", "Hugh",   "Vera",    "Xavier", "Ottilie", "Quentin", "Ewa", "Harriet", "Akira",
    "Ella",  "Kofi",   "Ida",   "Umberto", "Edgar", "Halima",  "Bella", "Rafael"};
inline constexpr std::array<std::string_view, 8> valid_first_names{"Nadia", "Walter", "Irene",  "Felix",
                                                                   "Amara", "Pedro",  "Judith", "Kenji"};
inline constexpr std::array<std::string_view, 24> test_first_names{
    "Monica", "Albert", "Teresa", "Stefan",  "Lucia",  "Edward", "Zoe",    "Miguel",
    "Karen",  "Anton",  "Leila",  "Patrick", "Bianca", "Hugo",   "Wanda",  "Rahul",
    "Esther", "Bruno",  "Naomi",  "Gordon",  "Camila", "Omar",   "Ingrid", "Samuel"};

inline constexpr std::array<std::string_view, 32> train_last_names{
    "Lopez",  "Smith",    "Rossi",  "Miller", "Novak",  "Brown",   "Costa",  "Meyer",  "Patel", "Clark",  "Silva",
    "Jones",  "Kowalski", "Tanaka", "Young",  "Haddad", "Fischer", "Moreau", "Santos", "Baker", "Ivanov", "Chen",
    "Walker", "Nielsen",  "Garcia", "Wright", "Khan",   "Larsen",  "Murphy", "Weber",  "Ortiz", "Green"};
inline constexpr std::array<std::string_view, 8> valid_last_names{"Turner", "Sato", "Romano", "Berg",
                                                                  "Mensah", "Cruz", "Foster", "Vogel"};
inline constexpr std::array<std::string_view, 20> test_last_names{
    "Bennett", "Marino", "Schmidt", "Okafor",  "Reyes", "Dubois", "Hansen",   "Cooper", "Nakamura", "Vargas",
    "Keller",  "Ward",   "Popov",   "Ferrari", "Singh", "Doyle",  "Lindberg", "Mendes", "Harris",   "Aziz"};

inline constexpr Pool train_pool{train_products, train_kinds, train_things, train_first_names, train_last_names};
inline constexpr Pool valid_pool{valid_products, {}, {}, valid_first_names, valid_last_names};
inline constexpr Pool test_pool{test_products, {}, {}, test_first_names, test_last_names};

}  // namespace tickets
