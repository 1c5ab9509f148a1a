"""What the towers know by name, in words: names, synonyms, kinds and short definitions. All written for octant."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CLOTHING", "GROCERY", "SOUNDS", "Concept", "fine_name"]


@dataclass(frozen=True, slots=True)
class Concept:
    """A concept in words. The first name is what people type; the definition says what kind of thing it is."""

    names: tuple[str, ...]
    definition: str


CLOTHING = {
    "Blazer": Concept(
        ("blazer", "suit jacket", "sport coat"), "a tailored jacket with lapels, formal or business clothing"
    ),
    "Blouse": Concept(("blouse", "women's blouse", "ladies' shirt"), "a loose light upper garment worn by women"),
    "Body": Concept(
        ("bodysuit", "body", "leotard", "baby onesie"),
        "a one-piece garment that covers the trunk and fastens at the crotch",
    ),
    "Dress": Concept(("dress", "gown", "frock", "sundress"), "a one-piece garment for a woman with skirt and bodice"),
    "Hat": Concept(("hat", "cap", "beanie", "headwear"), "headgear, a covering for the head"),
    "Hoodie": Concept(
        ("hoodie", "hooded sweatshirt", "sweatshirt with a hood", "pullover"), "a warm casual sweater with a hood"
    ),
    "Longsleeve": Concept(("long sleeve shirt", "longsleeve", "sweater", "jumper"), "a shirt or top with long sleeves"),
    "Outwear": Concept(
        ("outerwear", "jacket", "coat", "parka", "winter coat"),
        "clothing worn outdoors over other clothes, against cold and rain",
    ),
    "Pants": Concept(
        ("pants", "trousers", "jeans", "slacks", "leggings"),
        "a garment from the waist to the ankle that covers each leg separately",
    ),
    "Polo": Concept(
        ("polo shirt", "polo", "golf shirt"), "a knitted short sleeve shirt with a collar and a few buttons"
    ),
    "Shirt": Concept(
        ("shirt", "button-up shirt", "dress shirt", "flannel shirt"),
        "an upper garment with a collar, sleeves and buttons down the front",
    ),
    "Shoes": Concept(("shoes", "sneakers", "boots", "sandals", "trainers"), "footwear, what is worn on the feet"),
    "Shorts": Concept(
        ("shorts", "short pants", "bermuda shorts", "swim trunks"),
        "trousers that end at or above the knee, for summer and sports",
    ),
    "Skirt": Concept(
        ("skirt", "miniskirt", "pleated skirt"), "a garment that hangs from the waist, worn by women and girls"
    ),
    "T-Shirt": Concept(
        ("t-shirt", "tee", "tee shirt", "jersey"), "a casual short sleeve pullover shirt without collar or buttons"
    ),
    "Top": Concept(("top", "women's top", "tank top", "crop top"), "a garment for the upper body, for women and girls"),
    "Undershirt": Concept(
        ("undershirt", "sleeveless shirt", "vest", "tank top", "singlet"),
        "underwear for the upper body, without sleeves",
    ),
}

GROCERY = {
    "Apple": Concept(("apple", "apples"), "round fruit with crisp flesh and red, yellow or green skin"),
    "Asparagus": Concept(("asparagus", "asparagus spears"), "green spring vegetable, edible young shoots"),
    "Aubergine": Concept(("aubergine", "eggplant"), "large egg-shaped vegetable with shiny dark purple skin"),
    "Avocado": Concept(
        ("avocado", "avocado pear", "alligator pear"),
        "green fruit with rich oily flesh and one large seed, for guacamole",
    ),
    "Banana": Concept(("banana", "bananas"), "elongated curved yellow tropical fruit with soft sweet flesh"),
    "Cabbage": Concept(("cabbage", "head of cabbage"), "leafy green vegetable forming a compact round head"),
    "Carrots": Concept(("carrots", "carrot"), "orange root vegetable"),
    "Cucumber": Concept(("cucumber", "cuke"), "long green vegetable eaten in salads or pickled"),
    "Garlic": Concept(("garlic", "garlic bulb", "clove of garlic"), "aromatic bulb used as seasoning"),
    "Ginger": Concept(("ginger", "ginger root"), "pungent root used as a spice and flavoring"),
    "Juice": Concept(("juice", "fruit juice", "carton of juice"), "a drink pressed from fruit, a beverage"),
    "Kiwi": Concept(("kiwi", "kiwi fruit", "kiwifruit"), "fuzzy brown egg-shaped fruit with green flesh"),
    "Leek": Concept(
        ("leek", "leeks", "scallion"), "vegetable related to the onion, with a white stalk and flat green leaves"
    ),
    "Lemon": Concept(("lemon", "lemons"), "yellow oval citrus fruit with sour juicy flesh"),
    "Lime": Concept(("lime", "limes"), "small green sour citrus fruit"),
    "Mango": Concept(("mango", "mangoes"), "large oval tropical fruit with smooth skin and juicy sweet flesh"),
    "Melon": Concept(
        ("melon", "cantaloupe", "honeydew", "watermelon"),
        "large round juicy fruit of the gourd family with a hard rind",
    ),
    "Milk": Concept(("milk", "carton of milk", "cow's milk"), "a white dairy drink from cows"),
    "Mushroom": Concept(("mushroom", "mushrooms", "champignon"), "edible fungus with a stem and a cap"),
    "Nectarine": Concept(("nectarine", "nectarines"), "smooth-skinned peach, a juicy stone fruit"),
    "Oat-Milk": Concept(
        ("oat milk", "oat drink", "plant milk"), "a vegan drink made from oats, a dairy-free milk substitute"
    ),
    "Oatghurt": Concept(("oatghurt", "oat yogurt", "vegan yogurt"), "a plant-based dairy-free yogurt made from oats"),
    "Onion": Concept(("onion", "onions", "yellow onion"), "pungent bulb vegetable used in cooking"),
    "Orange": Concept(("orange", "oranges"), "round citrus fruit with a thick orange peel"),
    "Papaya": Concept(("papaya", "pawpaw"), "large oval melon-like tropical fruit with yellowish flesh"),
    "Passion-Fruit": Concept(
        ("passion fruit", "passionfruit", "maracuja"), "purple egg-shaped tropical fruit with many seeds"
    ),
    "Peach": Concept(("peach", "peaches"), "downy juicy stone fruit with sweet yellowish flesh"),
    "Pear": Concept(("pear", "pears"), "sweet juicy green or yellow fruit, narrow at the stem"),
    "Pepper": Concept(
        ("pepper", "bell pepper", "sweet pepper", "capsicum", "paprika"),
        "hollow crisp vegetable, red, yellow, orange or green",
    ),
    "Pineapple": Concept(("pineapple", "ananas"), "large sweet tropical fruit with spiky skin and a tuft of leaves"),
    "Plum": Concept(("plum", "plums"), "round smooth purple stone fruit"),
    "Pomegranate": Concept(("pomegranate",), "large round red fruit with many seeds in juicy pulp"),
    "Potato": Concept(("potato", "potatoes", "spud"), "edible brown starchy tuber, a root vegetable"),
    "Red-Beet": Concept(("red beet", "beetroot", "beet"), "dark red root vegetable"),
    "Red-Grapefruit": Concept(
        ("red grapefruit", "grapefruit", "pink grapefruit"), "large round bitter citrus fruit with red flesh"
    ),
    "Satsumas": Concept(
        ("satsumas", "satsuma", "mandarin orange", "tangerine", "clementine"), "small easily peeled citrus fruit"
    ),
    "Sour-Cream": Concept(("sour cream", "creme fraiche"), "thick soured cream, a dairy product"),
    "Sour-Milk": Concept(("sour milk", "buttermilk", "fermented milk", "kefir"), "a soured dairy drink"),
    "Soy-Milk": Concept(
        ("soy milk", "soya drink", "soymilk"), "a vegan drink made from soybeans, a dairy-free milk substitute"
    ),
    "Soyghurt": Concept(
        ("soyghurt", "soy yogurt", "vegan yogurt"), "a plant-based dairy-free yogurt made from soybeans"
    ),
    "Tomato": Concept(("tomato", "tomatoes"), "round red juicy fruit eaten as a vegetable in salads"),
    "Yoghurt": Concept(("yoghurt", "yogurt"), "a dairy food made from fermented milk, in a tub or carton"),
    "Zucchini": Concept(("zucchini", "courgette", "summer squash"), "long green vegetable, a small squash"),
}

SOUNDS = {
    "dog bark": Concept(
        ("dog barking", "barking dog", "dog", "a dog barks", "hound"), "the bark of a dog, a domestic animal and pet"
    ),
    "rain": Concept(
        ("rain", "rain falling", "heavy rain", "rainfall", "a shower of rain"),
        "drops of water falling from the clouds, wet weather",
    ),
    "sea waves": Concept(
        ("sea waves", "waves crashing on the shore", "ocean waves", "sea", "seashore"),
        "water of the ocean rolling onto the beach, surf at the coast",
    ),
    "crying baby": Concept(
        ("crying baby", "a baby crying", "baby", "an infant cries", "child crying"),
        "the cry of a very young child, a human voice",
    ),
    "clock tick": Concept(
        ("clock ticking", "ticking clock", "clock", "tick of a watch", "alarm clock"),
        "the regular beat of a timepiece that shows the time of day",
    ),
    "person sneezing": Concept(
        ("person sneezing", "sneeze", "sneezing", "a person sneezes", "someone with a cold"),
        "a sudden loud expulsion of air from the nose, a human sound",
    ),
    "helicopter": Concept(
        ("helicopter", "a helicopter flying", "helicopter overhead", "helicopter rotor", "chopper"),
        "an aircraft with rotor blades, a flying machine and vehicle",
    ),
    "chainsaw": Concept(
        ("chainsaw", "chain saw", "a chainsaw cutting wood", "chain saw engine"),
        "a portable power saw with a motor, a machine and tool for cutting trees",
    ),
    "rooster": Concept(
        ("rooster", "a rooster crowing", "cock", "cockerel crowing", "cock-a-doodle-doo"),
        "the crow of an adult male chicken, a bird on the farm, poultry",
    ),
    "crackling fire": Concept(
        ("crackling fire", "fire", "fire burning", "campfire", "fireplace"), "burning wood that crackles in flames"
    ),
}
"""What can be heard. The words "the sound of" are left out: they make every caption resemble every other."""


def fine_name(fine: str, label: str) -> str:
    """Write a fine grocery label as a phrase that ends in what it is: Golden-Delicious → Golden Delicious apple."""
    words = fine.replace("-", " ")
    name = GROCERY[label].names[0]
    stem = name.split()[-1][:4].lower()
    return words if stem in words.lower() else f"{words} {name}"
