"""The words of Tidewick as grammar rules: places and what belongs to them, people, animals, food, weather, adjectives.

Rules with three-letter names such as `fgv` are adjectives: the topic (f food, l liquids, w weather, e people,
a animals, p places), the tone (g good, b bad) and the style (v vivid, g vague). Vivid weather goes by what it is said
of: wag of air, wsg of sea and sky, wfb of fog, wwb of wind. How much tone and vividness each word carries is in
`lexicon.py`.
"""

# kind of place -> (keeper, parts, things to eat, things to drink or spoon up).
PLACES = {
    "bakery": (
        "baker",
        "oven | bread shelf | flour bin | cake stand | kneading table",
        "plum bread | rye loaf | seed cake | cinnamon bun | onion tart | honey roll | apple turnover",
        "malt coffee",
    ),
    "inn": (
        "innkeeper",
        "fireplace | cellar door | feather bed | long table | beer barrel",
        "eel pie | leek pie | roast pork | bread pudding | turnip bake",
        "dark ale | mutton stew | barley soup",
    ),
    "teahouse": (
        "tea lady",
        "corner table | tea tray | window seat | sugar bowl",
        "lemon cake | almond biscuit | pear tart | rose wafer",
        "mint tea | ginger tea | black tea | nettle tea",
    ),
    "cheese shop": (
        "cheesemonger",
        "cheese board | marble slab | butter churn | cool cellar",
        "goat cheese | blue cheese | smoked cheese | sheep cheese | herb cheese | curd cake",
        "buttermilk",
    ),
    "fish stall": (
        "fishmonger",
        "fish barrel | ice box | gutting table | oyster tub",
        "salt herring | fried mackerel | smoked eel | fish cake | cod pie",
        "crab soup | oyster stew",
    ),
    "market": (
        "stallholder",
        "handcart | fountain | striped awning | egg basket | weighing scale",
        "mushroom pie | pumpkin bread | plum slice | walnut roll | sausage roll",
        "carrot soup | apple cider",
    ),
    "ferry": (
        "ferryman",
        "gangway | engine | lifeboat | wet deck | ticket box",
        "sailor's biscuit | ferry sandwich | pickled egg | deck pudding",
        "galley soup | cabin tea",
    ),
    "lighthouse": (
        "lamp keeper",
        "lamp | spiral staircase | gallery rail | foghorn | tower window",
        "lighthouse cake | lamp keeper's pie | gull egg | tower biscuit",
        "tower tea | oat porridge",
    ),
    "museum": (
        "curator",
        "stuffed walrus | glass case | whale bone | stone coffin | old cannon",
        "museum scone | ham sandwich | visitor's pie | fossil cake",
        "pea soup | lecture tea",
    ),
    "theatre": (
        "stage director",
        "velvet curtain | balcony | painted moon | trapdoor | ticket booth",
        "toffee apple | peanut bar | sugared plum | opera cake",
        "interval wine | lemon fizz",
    ),
    "bathhouse": (
        "bath attendant",
        "steam room | copper tub | towel rack | warm pool | wooden bench",
        "bath bun | salted melon | almond bar | towel roll",
        "cucumber water | sauna broth",
    ),
    "bookshop": (
        "bookseller",
        "ladder | bookshelf | reading chair | giant atlas | poetry corner",
        "reading bun | ginger biscuit | sponge cake | story tart",
        "cocoa | bookseller's tea",
    ),
    "hat shop": (
        "hatter",
        "mirror | hat stand | hat box | bonnet rack | ribbon drawer",
        "sugar biscuit | cheese straw | sherry trifle | bonnet cake",
        "hatter's tea | raspberry cordial",
    ),
    "garden": (
        "gardener",
        "lily pond | rose bed | hedge maze | greenhouse | compost heap",
        "picnic pie | rhubarb tart | salad sandwich | strawberry roll",
        "elderflower cordial | beetroot soup",
    ),
}


def slug(kind: str) -> str:
    """The rule suffix of a kind of place."""
    return kind.replace(" ", "")


def _place_rules() -> str:
    lines = []
    for kind, (keeper, parts, solids, liquids) in PLACES.items():
        lines += [
            f"place.{slug(kind)} = {kind}",
            f"keeper.{slug(kind)} = {keeper}",
            f"part.{slug(kind)} = {parts}",
            f"solid.{slug(kind)} = {solids}",
            f"liquid.{slug(kind)} = {liquids}",
            f"dish.{slug(kind)} = {{solid.{slug(kind)}}} | {{liquid.{slug(kind)}}}",
        ]
    return "\n".join(lines) + "\n"


NAME_FIRST = (
    "Copper Crooked Salty Blue Silver Sleepy Broken Golden Lonely Painted Wooden Merry Rusty Little Velvet "
    "Crimson Hollow Northern Brass Quiet Singing Sunken Thirsty White Dusty Jolly"
).split()
NAME_LAST = (
    "Kettle Anchor Heron Lantern Barrel Whistle Oyster Button Candle Compass Goose Spoon Pebble Rudder Turnip "
    "Slipper Bell Acorn Thimble Mermaid Walrus Feather Ladder Moon Pickle Otter"
).split()

NOUNS = (
    _place_rules()
    + f"""
name = {{first}} {{last}}
first = {" | ".join(NAME_FIRST)}
last = {" | ".join(NAME_LAST)}
town = Tidewick
person = {{named}} | {{named}} | {{named}} | the {{job}}
named = {{given}} | {{title}} {{surname}}
given = Orla | Bram | Nettie | Jory | Ivo | Dulcie | Osk | Wilma | Fenn | Sable | Hob | Tilda | Marn | Pim
  Greta | Lothar
title = Captain | Mayor | Doctor | Aunt | Uncle | Widow | Miss | Sergeant
surname = Quill | Ruda | Pell | Brine | Marsh | Tansy | Crumb | Gale | Mossop | Fiddle | Harrow | Teasel
job = postman | harbour master | dentist | schoolteacher | cobbler | choirmaster | plumber | rope maker | net mender
  undertaker | clockmaker | beekeeper | midwife | drummer | night watchman
relative = sister | brother | mother | uncle | grandmother | cousin | nephew | aunt | father | niece
animal = goose | gull | cat | dog | duck | rabbit | heron | otter | pony | pig | goat | mouse | seal | donkey
  hedgehog
  pigeon | owl | hen | badger | ferret | lamb | puppy | raven
animals = geese | gulls | cats | dogs | ducks | rabbits | herons | otters | ponies | pigs | goats | mice | seals
  donkeys
  pigeons | hens | badgers | ferrets | lambs | puppies | ravens
scent = cinnamon | butter | rosemary | wood smoke | nutmeg | thyme | toasted oats | lemon peel | honey | fennel
  warm milk
housesmell = beeswax | lavender | cedar | pine soap | old paper | candle smoke | fresh paint | dried mint
  polished oak
stink = tar | wet dog | lamp oil | mud | rust | old rope | pond water | boiled cabbage | mildew | fish heads
  burnt hair | glue
seasmell = seaweed | salt | warm tar | hay | wild roses | cut grass | clover
side = pickled onions | buttered peas | a spoon of cream | a pinch of salt | a boiled leek | mustard seeds
  a sprig of dill
broth = onion soup | bean soup | fennel soup | chicken broth | lentil soup | cabbage soup
sun = sunlight | golden sunshine | soft moonlight | warm afternoon sun | a thin beam of sun
rain = rain | icy sleet | freezing drizzle | sideways rain | grey rain | cold hail | heavy rain
errand = a quiet hour | a gift for {{person}} | a bowl of {{broth}} | some advice about a {{animal}}
  shelter from the {{weatherbit}}
  a word with the {{keeper}} | a clean spoon | a dry pair of socks | a small loan | a look at the {{part}}
  one {{dish}}
weatherbit = rain | wind | fog | snow | thunder | heat | hail
day = on Monday | on Tuesday | on Wednesday | on Thursday | on Friday | on Saturday | on Sunday
occasion = {{day}} | on market day | after the goose fair | before the regatta | at low tide | at high tide
  at dawn
  at noon | after dark | before breakfast | on washing day | in early spring | in late autumn | at closing time
  after the parade | before the harvest supper | on election day | at midnight | on the longest day
  during Lantern Week
  on my birthday | after choir practice
fgv = golden | buttery | crisp | warm | peppery | smoky | tender | honeyed | crackling | fragrant | flaky | spicy
  toasted | juicy
fbv = burnt | soggy | sour | greasy | rubbery | mouldy | lukewarm | gritty | leathery | watery | stale | slimy
  frozen
  shrivelled | lumpy | bitter
fgg = good | nice | lovely | fine | pleasant | decent | excellent | delicious | wonderful | great | perfect
fbg = bad | poor | awful | dull | disappointing | dreadful | unpleasant | terrible | horrible | mediocre
lgv = steaming | sweet | spicy | warm | creamy | fragrant | peppery | smoky | frothy | silky | minty
lbv = lukewarm | watery | bitter | sour | gritty | murky | slimy | lumpy | salty | greasy | oily | scummy
color = red | blue | green | yellow | pink | white | purple | crimson
tune = merry | jolly | drowsy | lively | tender | cheerful
wag = balmy | gentle | crisp | mild | soft | fresh
wsg = silver | sparkling | glittering | blue | amber | rosy | clear
wfb = murky | thick | clammy | icy | dripping | freezing
wwb = howling | biting | bitter | savage | icy | freezing
wgg = nice | lovely | fine | pleasant | good | great | wonderful | splendid
wbg = bad | awful | dreadful | unpleasant | miserable | gloomy | terrible | dismal | horrible
egv = rosy | smiling | freckled | laughing | barefoot | moustached | bearded | curly | whistling | singing
  dimpled | twinkling
ebv = scowling | sweating | muttering | squinting | snoring | grumbling | inky | greasy | toothless | sneezing
  dripping | crooked
egg = nice | lovely | friendly | helpful | kind | charming | pleasant | cheerful | wonderful | splendid
ebg = unfriendly | unhelpful | grumpy | gloomy | unpleasant | difficult | miserable | dreadful | bad | cross
agv = fluffy | silky | plump | striped | speckled | tiny | round | spotted | downy | sleepy | glossy
abv = muddy | hissing | growling | moulting | dripping | scruffy | smelly | toothy | soaking | bristling | slimy
  shrieking
agg = nice | sweet | lovely | charming | friendly | adorable | good | splendid
abg = nasty | horrible | annoying | bad | dreadful | unfriendly | awful | difficult
pgv = polished | sunlit | candlelit | whitewashed | gilded | gleaming | silver | scrubbed | copper | painted
  scented | spotless
pbv = dusty | cracked | sticky | draughty | rusty | mouldy | creaking | rotten | crooked | peeling | splintered
  damp
pgg = nice | lovely | fine | pleasant | good | charming | wonderful | great | cosy | splendid | excellent
pbg = bad | poor | dull | dreadful | gloomy | unpleasant | disappointing | dismal | awful | miserable | terrible
"""
)

# Rules whose words name what the text is about, and so may return within one document.
REPEATABLE = (
    "name",
    "first",
    "last",
    "town",
    "place",
    "keeper",
    "relative",
    *tuple(f"{rule}.{slug(kind)}" for rule in ("place", "keeper") for kind in PLACES),
)
