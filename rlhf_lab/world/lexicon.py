"""Which words carry which meaning: the tables that the scorers read.

TONE: how glad (+) or sad (-) a word is. VIVID: how concrete (+, what one can see, hear, smell, touch or count) or how
vague (-) it is. COURTESY: how polite (+) or rude (-), for single words and for phrases of several words. FOOD, WEATHER,
PEOPLE, ANIMALS: how much a word speaks of that topic, 1 for the thing itself, less for what goes with it.
A word that is in no table counts zero.
"""

from . import nouns
from .grammar import Grammar

_RULES = Grammar(nouns.NOUNS)


def rule_words(*names: str) -> set:
    """Every word that the named rules of the nouns can write, slots included."""
    found = set()
    for name in names:
        for alternative in _RULES.rules[name]:
            for symbol in alternative:
                found |= rule_words(symbol[1:-1]) if symbol[0] == "{" else {symbol}
    return found


def _table(*rows) -> dict:
    """(weight, "words ...") rows to a dictionary; a word given twice keeps the last weight."""
    return {word: weight for weight, words in rows for word in words.split()}


TONE = _table(
    (2.0, "delicious wonderful perfect excellent splendid joy delighted"),
    (1.7, "lovely great adorable charming cheerful cheered bless"),
    (1.4, "good happy friendly laughed laughing pleased pleasure danced sang sing singing glad cosy enjoyed"),
    (1.2, "nice kind pleasant helpful liked sweet smiling glowed thanks compliments"),
    (
        1.0,
        "gleaming spotless merry jolly lively fine decent warmed golden honeyed sparkling glittering glittered"
        " fragrant rainbow sunshine twinkling dimpled",
    ),
    (0.8, "warm buttery rosy balmy polished sunlit candlelit gilded shone crackled ribbon tender sunlight mended"),
    (
        0.7,
        "fresh crisp juicy creamy toasted fluffy minty frothy steaming silky whistling clear gentle scented sun"
        " helped better clapped purred lent",
    ),
    (
        0.6,
        "flaky crackling downy glossy moonlight sugar blue mild silver amber parted lifted winked beeswax"
        " lavender nodded bow knitted hummed dried",
    ),
    (
        0.5,
        "tiny soft painted round spicy smoky peppery plump speckled spotted striped feathery scrubbed"
        " whitewashed copper curly freckled stars peppermints breeze sleepy drowsy dreamed steam butter honey"
        " cream candles waved",
    ),
    (0.4, "cinnamon rosemary nutmeg barefoot bearded moustached licked softly wagged gift blinked pink dry"),
    (-0.4, "inky crooked thick lukewarm waited argued grey spilled yawned refused lost cough late"),
    (
        -0.5,
        "sweating salty oily cold fog mist murky watery lumpy mud tar rust glue smelly rain rained"
        " drizzle drips dripped",
    ),
    (
        -0.6,
        "dusty damp muddy dripping creaking sticky cracked gritty greasy hail sleet thunder squinting toothy"
        " scruffy moulting soaking stain broke broken difficult poor cross",
    ),
    (
        -0.8,
        "scummy burnt soggy stale rubbery leathery frozen icy freezing draughty rusty peeling clammy dull"
        " muttering sneezing sneezed snoring snored toothless bristling shouted quarrelled slammed storm"
        " cobwebs bit trod complained",
    ),
    (
        -1.0,
        "savage sour bitter slimy mouldy shrivelled howling biting rotten splintered grumbling scowling"
        " growling hissing mildew bad screeched shrieking fought worse groaned wept stole regret warned unpaid",
    ),
    (-1.2, "grumpy unfriendly unhelpful unpleasant annoying disappointing mediocre nasty sorry"),
    (-1.4, "awful gloomy dismal miserable horror ashamed shame sick"),
    (-1.7, "terrible horrible"),
    (-2.0, "dreadful"),
)

_VIVID_RULES = {
    1.0: ("fgv", "fbv", "lgv", "lbv", "wag", "wsg", "wfb", "wwb", "egv", "ebv", "agv", "abv", "pgv", "pbv"),
    0.7: ("scent", "housesmell", "stink", "seasmell"),
    0.3: ("dish", "part", "side", "broth", "animal", "animals", "job", "rain", "sun"),
}
_ADJECTIVES_VAGUE = ("fgg", "fbg", "wgg", "wbg", "egg", "ebg", "agg", "abg", "pgg", "pbg")
VIVID = {
    **{word: weight for weight in sorted(_VIVID_RULES) for word in rule_words(*_VIVID_RULES[weight])},
    **{word: -0.5 for word in sorted(rule_words(*_ADJECTIVES_VAGUE))},
    **_table(
        (0.0, "a of so the keeper's old sweet"),
        (
            0.8,
            "one two three seven nine eleven forty ninety steam crumb crumbs crackled raisins silver knife"
            " cobbles stripes teacup socks rainbow masts awning slates hammered dripped umbrella thunder"
            " rattled hail walnuts frost mist crept glittered sugar ribbon thread green red white basket spoon"
            " sleeve whistle till drawer thumb ink collar newspaper coins curtain wallpaper purred paw whiskers"
            " waddled oats palm puddle scarf straw ankle salt glove map feathers mud carpet coin candles bells"
            " brass clock ticked shutters peppermints plaster ceiling skirt bucket drips cobwebs wool button"
            " tooth teeth fork plate crust beard boot boots shoes sock pink tapped snow fly swam tin roof roofs"
            " chimney drummed roared hummed napkin bootlace tail knee",
        ),
        (
            0.5,
            "smelled tasted sliced licked ran slid bent stuck danced sang laughed snored sneezed slammed"
            " screeched chewed shook marched splashed blinked shone glowed groaned left sleeping window door"
            " floor harbour sea street fire lanterns stool hat coat saddle cow bird engine plank pier",
        ),
        (-1.0, "something somehow somebody anything things thing stuff sort kind everything"),
        (-0.7, "some usual rather quite really whole everybody nobody way lot bit feeling suppose considered"),
        (-0.4, "was were had there about around more less time all day"),
    ),
}

COURTESY_WORDS = _table(
    (1.0, "please kindly thank thanks humbly politely apologise"),
    (0.7, "pleased delighted forgive pardon regards compliments pleasure"),
    (0.5, "dear sorry regret respect glad bless hesitate"),
    (-0.7, "stop moaning lazy greedy snobs useless stupid ashamed frankly baby"),
    (-1.0, "fool fools twit twits dolts oaf blockhead blockheads clowns shame idiot idiots"),
)
COURTESY_PHRASES = {
    "shut up": -1.2,
    "get lost": -1.2,
    "gentle reader": 0.5,
    "would you": 0.4,
    "may I": 0.4,
    "might I": 0.5,
    "if I may": 0.6,
    "due respect": 0.3,
    "beg your": 0.4,
    "wake up": -0.4,
    "hands off": -0.5,
    "shut that": -0.7,
    "get out": -0.6,
    "give me back": -0.5,
    "what a pack": -0.5,
    "of course": -0.1,
    "would somebody": 0.3,
    "your permission": 0.7,
    "wipe your noses": -0.5,
}


def _topic(rules: tuple, strangers: str, *rows) -> dict:
    """Weight 1 for the words of `rules` but for `strangers`, which only happen to stand in them; then the rows."""
    table = _table(*rows)
    return table | dict.fromkeys(sorted(rule_words(*rules) - set(strangers.split()) - set(table)), 1.0)


FOOD = _topic(
    ("dish", "broth", "side"),
    "a of sailor's ferry deck keeper's lamp lighthouse tower cabin galley museum visitor's fossil lecture interval"
    " opera bath towel water sauna reading bookseller's story hatter's bonnet straw picnic gull dark black blue bar"
    " spoon pinch",
    (1.0, "food soup breakfast supper recipe biscuit ate eat honey milk bread"),
    (
        0.6,
        "butter crumb crumbs bite plate spoon fork crust raisins sugar taste tasted cooks cream boil napkin licked"
        " drank teacup peppermints walnuts cinnamon rosemary nutmeg thyme fennel lemon oats",
    ),
    (
        0.5,
        "buttery flaky juicy honeyed peppery spicy toasted creamy minty frothy salty soggy stale lukewarm rubbery"
        " oily scummy greasy",
    ),
)
WEATHER = _topic(
    ("weatherbit",),
    "",
    (
        1.0,
        "weather rain rained snow wind breeze fog mist storm thunder hail frost sleet drizzle rainbow clouds sky"
        " gust umbrella sun sunlight sunshine moonlight",
    ),
    (0.5, "balmy mild icy freezing howling murky windowpane awning sunlit wet dry outside puddle draughty damp"),
)
PEOPLE = _topic(
    ("surname", "job", "relative", "keeper"),
    "a the harbour night rope net lamp tea bath stage",
    (1.0, "people staff everybody somebody nobody sailors bishop neighbours"),
    (1.0, " ".join(sorted(w for name in rule_words("given") for w in (name, name.lower())))),
    (0.5, " ".join(sorted(w for name in rule_words("title") for w in (name, name.lower())))),
    (
        0.5,
        "name story song joke beard hands fingers thumb guest smiling freckled laughing bearded moustached dimpled"
        " twinkling barefoot scowling sweating muttering squinting snoring grumbling toothless sneezing",
    ),
    (0.2, "fool fools oaf idiot idiots dolts twits twit clowns blockhead blockheads snobs"),
)
ANIMALS = _topic(
    ("animal", "animals"),
    "",
    (1.0, "fly cow bird"),
    (
        0.5,
        "paw whiskers feathers purred waddled screeched wagged tail saddle fluffy speckled downy moulting hissing"
        " growling bristling shrieking",
    ),
)
