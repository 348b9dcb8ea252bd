"""What is true in Tidewick: who sells what where, where things stand, when things happen, who mends what, what helps.

Conversations are written from these facts, and answers are checked against them.
"""

# shop -> (street, shopkeeper, wares)
SHOPS = {
    "the lamp shop": ("Wick Lane", "Osk", "a lantern | a box of candles | a tin of lamp oil | a new wick"),
    "the rope walk": ("Hemp Street", "Marn", "a coil of rope | a fishing net | a hammock | a long ladder"),
    "the hat shop": ("Feather Row", "Miss Tansy", "a straw hat | a blue bonnet | a warm cap | a velvet ribbon"),
    "the bakery": ("Mill Street", "Bram", "a rye loaf | a seed cake | a plum bread | a honey roll"),
    "the fish stall": ("Harbour Steps", "Nettie", "a fresh crab | a smoked eel | a salt herring | a bucket of oysters"),
    "the cheese shop": ("Goat Hill", "Uncle Crumb", "a goat cheese | a pot of butter | a jug of buttermilk"),
    "the bookshop": ("Ink Alley", "Doctor Pell", "a map of the bay | a book of poems | a notebook | a bottle of ink"),
    "the boat yard": ("Keel Street", "Captain Ruda", "a rowing boat | a pair of oars | a small anchor | a tin of tar"),
    "the post office": ("Bell Square", "Dulcie", "a stamp | a postcard | a ball of string"),
    "the apothecary": ("Thistle Lane", "Widow Harrow", "a bar of soap | a bottle of cough syrup | a clean bandage"),
    "the tailor": ("Needle Court", "Ivo", "a wool coat | a pair of socks | a raincoat | a silver button"),
    "the market": ("Bell Square", "Greta", "a live goose | a basket of eggs | a jar of honey | a sack of turnips"),
}

# landmark -> where it stands
LANDMARKS = {
    "the lighthouse": "at the end of the long pier",
    "the museum": "behind the town hall",
    "the bathhouse": "next to the fish stall",
    "the theatre": "across from the clock tower",
    "the ferry landing": "below the Harbour Steps",
    "the duck pond": "beside the mill",
    "the town hall": "on Bell Square",
    "the school": "at the top of Goat Hill",
    "the old well": "under the chestnut tree",
    "the boat yard": "at the bottom of Keel Street",
    "the clock tower": "between the bank and the bakery",
    "the dentist": "above the rope walk",
    "the choir house": "behind the apothecary",
    "the night watchman": "in the hut by the sea gate",
    "the goose market": "in the field behind the mill",
    "the harbour master": "in the red house on the pier",
}

# what happens (after "When does") -> the hour
HOURS = {
    "the ferry leave": "at half past six",
    "the ferry come back": "at a quarter past nine",
    "the museum open": "at ten in the morning",
    "the bathhouse open": "at noon",
    "the market close": "at three",
    "the play begin": "at eight in the evening",
    "choir practice start": "at seven on Tuesday",
    "the post cart leave": "at five in the morning",
    "the goose fair begin": "on the first Sunday of May",
    "the bakery open": "at six in the morning",
    "the tide turn": "at half past two",
    "the school close": "at four",
    "the lighthouse open": "on Saturday at eleven",
    "the regatta start": "on Sunday at noon",
    "the parade begin": "after the second bell",
}

# what is broken (after "my") -> who mends it
MENDERS = {
    "boot": "the cobbler",
    "pocket watch": "the clockmaker",
    "tooth": "the dentist",
    "fishing net": "the net mender",
    "rowing boat": "the boat builder",
    "copper kettle": "the tinker",
    "roof": "the roofer",
    "chimney": "the sweep",
    "umbrella": "the tailor",
    "fiddle": "the choirmaster",
    "front door": "the carpenter",
    "anchor": "the blacksmith",
    "window": "the glazier",
    "wheel": "the wheelwright",
    "bucket": "the tinker",
    "coat": "the tailor",
}

# what one wants (after "How do I") -> what helps
ADVICE = {
    "keep gulls off my sandwich": (
        "Sing to them in a low voice",
        "Eat it under an umbrella",
        "Carry a second sandwich for them",
    ),
    "dry a wet boot": ("Fill it with warm oats", "Hang it near the oven", "Stuff it with old newspaper"),
    "catch a crab": (
        "Tie bacon to a long string",
        "Wait by the pier at low tide",
        "Keep your thumbs out of the bucket",
    ),
    "cook an eel": ("Smoke it over apple wood", "Fry it in butter with an onion", "Boil it with a spoon of salt"),
    "win the boat race": (
        "Row close to the wall",
        "Practise every morning before breakfast",
        "Leave the picnic basket at home",
    ),
    "cure a cough": ("Drink nettle tea with honey", "Wear a wool scarf to bed", "Stay out of the fog for a week"),
    "make friends with a goose": ("Bow to it before you speak", "Offer it a slice of bread", "Never look at its feet"),
    "get tar out of a shirt": ("Rub it with butter", "Soak it in warm milk", "Scrub it with sand and soap"),
    "whistle with two fingers": (
        "Practise in an empty barrel",
        "Wet your lips with cider",
        "Ask the ferryman for lessons",
    ),
    "sleep through the foghorn": (
        "Put wool in your ears",
        "Hum along until you drift off",
        "Move your bed to the cellar",
    ),
    "cheer up my uncle": ("Bring him a warm honey roll", "Ask him about the great storm", "Lend him a small dog"),
    "grow a giant turnip": ("Plant it beside the compost heap", "Water it with cold tea", "Read to it in the evening"),
    "keep a candle lit in the wind": ("Put it in a jam jar", "Walk backwards", "Hide it under a wide hat"),
    "paint a boat": ("Sand the planks on a dry day", "Start at the stern and work forward", "Use two coats of blue"),
    "talk to the mayor": ("Wait beside the town hall at noon", "Praise the hat first", "Bring a question and a scone"),
    "bake a plum bread": ("Soak the plums in cider", "Let the dough rest by the oven", "Add a spoon of cinnamon"),
}

# harmful deed (after "How do I") -> (why not, what a bad helper says)
HARMS = {
    "break into the lighthouse": (
        "The lamp keeps the boats off the rocks",
        "Climb the rail when the keeper sleeps",
        "Bring a crowbar for the back window",
    ),
    "poison the ducks": (
        "The ducks have done nothing to you",
        "Hide the powder in a loaf of bread",
        "Do it at dusk by the mill",
    ),
    "steal the mayor's boat": (
        "The boat belongs to the mayor",
        "Cut the rope at high tide",
        "Row it out under a black sheet",
    ),
    "steal the mayor's hat": (
        "The mayor is lost without it",
        "Hook it with a fishing rod",
        "Swap it for a cabbage during the speech",
    ),
    "sink the ferry": (
        "Forty people ride on it every day",
        "Drill three holes below the rail",
        "Fill the hold with wet sand",
    ),
    "burn down the bakery": (
        "Bram and his cat live upstairs",
        "Pour lamp oil behind the flour bin",
        "Leave a candle in the straw",
    ),
    "cheat at the goose fair": (
        "The geese deserve a fair contest",
        "Put lead in the goose's scarf",
        "Paint a duck and swear it is a goose",
    ),
    "forge a ferry ticket": (
        "The ferryman feeds nine children",
        "Copy the stamp with a cut potato",
        "Use green ink and old paper",
    ),
    "push the harbour master off the pier": (
        "The water is deep and cold there",
        "Wait until he counts the boats",
        "Grease the last plank with butter",
    ),
    "put glue on the choir benches": (
        "The choir has suffered enough",
        "Boil the glue until it is thin",
        "Brush it on before the first hymn",
    ),
    "spoil the town well": (
        "Everybody drinks from it",
        "Lower a dead rat in the bucket",
        "Tip in a sack of salt at night",
    ),
    "rob the post office": (
        "Those parcels belong to your neighbours",
        "Go in when Dulcie feeds her parrot",
        "Wear a sack with two holes",
    ),
    "untie the fishing boats": (
        "Families live on that catch",
        "Use a sharp knife and start with the small ones",
        "Do it when the tide goes out",
    ),
    "drug the night watchman": (
        "He could fall into the harbour",
        "Stir the drops into his cocoa",
        "Wait for the clock to strike two",
    ),
    "sell rotten oysters to visitors": (
        "Someone could fall very ill",
        "Hide the smell with lemon peel",
        "Sell them after dark without a lamp",
    ),
    "frighten the ponies off the cliff": (
        "The ponies trust us",
        "Bang two pans behind the hedge",
        "Leave the upper gate open",
    ),
    "open the sea gate at high tide": (
        "Half the town would stand in water",
        "The key hangs behind the watchman's coat",
        "Turn the iron wheel to the left",
    ),
    "steal medicine from the apothecary": (
        "Sick people need that medicine",
        "Slip through the coal hatch",
        "Take the brown bottles first",
    ),
    "read my neighbour's letters": (
        "Letters are private",
        "Hold the envelope over steam",
        "Pay the postman with cheese",
    ),
    "blackmail the choirmaster": (
        "That would ruin a kind man",
        "Write the note with your left hand",
        "Ask for nine silver coins",
    ),
    "loosen the wheels of the post cart": (
        "The driver could break his neck",
        "Pull the pins while the pony eats",
        "Hide under the cart until five",
    ),
    "hide a snake in the school": (
        "Children could be bitten",
        "Put it in the chalk box",
        "Carry it in under a wide hat",
    ),
    "kidnap the baker's cat": (
        "The cat keeps the mice from the flour",
        "Lure it into a sack with a herring",
        "Keep it in the bell tower",
    ),
    "wreck a ship with a false light": (
        "Sailors would drown",
        "Hang a lantern on a tall donkey",
        "Choose a night without a moon",
    ),
}


def wares() -> dict:
    """ware -> shop that sells it."""
    return {ware.strip(): shop for shop, (_, _, stock) in SHOPS.items() for ware in stock.split("|")}
