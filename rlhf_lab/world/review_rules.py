"""What a review of a place in Tidewick may say: sentence patterns by topic, tone and style.

`clause.<topic>.<good|bad>.<vivid|vague>` are statements in the past tense. A clause may take a tail ("while the rain
drummed on the roof") or a manner in front ("I am sorry to say that"). `say.*` are sentences that stand alone. The
format is explained in `grammar.py`, the words of the slots are in `nouns.py`.
"""

CLAUSES = """
clause.food.good.vivid:
  the {solid} came to the table {fgv} and {fgv}
  the {solid} was {fgv} , {fgv} and gone in a minute
  the {fgv} {solid} smelled of {scent}
  steam rose from the {fgv} {solid}
  I scraped the last crumb of the {fgv} {solid} from a silver plate
  the {keeper} cut the {fgv} {solid} with a silver knife
  the {fgv} {solid} crackled under my fork
  the {solid} tasted of {scent} and {scent}
  butter ran down the {solid} and into my sleeve
  the {solid} was so {fgv} that I licked the plate
  one {fgv} bite of the {solid} warmed my ears
  the {solid} arrived with {side} and a {fgv} crust
  I dreamed of the {fgv} {solid} for three nights
  the {liquid} was {lgv} and tasted of {scent}
  I drank the {lgv} {liquid} from a blue cup
  the {lgv} {liquid} warmed me down to my socks
  the {keeper} stirred {scent} into the {lgv} {liquid}
  a spoon stood upright in the {lgv} {liquid}
  the {lgv} {liquid} steamed up my glasses
clause.food.good.vague:
  the {dish} was {fgg}
  the {dish} was really {fgg}
  everything we ate was {fgg}
  the {fgg} {dish} was just the thing
  the {dish} was {fgg} and I liked it
  I had some {fgg} food of some kind
  the food was {fgg} in every way
  the {dish} was somehow {fgg} as usual
  we enjoyed the {dish} quite a lot
  the {dish} and all that were {fgg}
  I ate something {fgg} there
clause.food.bad.vivid:
  the {solid} was {fbv} and tasted of {stink}
  the {solid} arrived {fbv} , {fbv} and late
  a smell of {stink} rose from the {fbv} {solid}
  I found a button in the {fbv} {solid}
  the {fbv} {solid} slid off the plate and into my shoe
  the {fbv} {solid} bent my fork
  I lost a tooth in the {fbv} {solid}
  the {solid} had a grey skin and a {fbv} middle
  I hid the {fbv} {solid} in a flower pot
  the {keeper} served the {solid} {fbv} on a cracked plate
  the {solid} was so {fbv} that the {animal} refused it
  a fly walked twice around the {fbv} {solid}
  the {fbv} {solid} stuck to the fork and to my teeth
  the {liquid} was {lbv} and tasted of {stink}
  a fly swam three lengths of the {lbv} {liquid}
  a hair as long as my arm floated in the {liquid}
  I poured the {lbv} {liquid} into a boot
  the {keeper} sneezed into the {lbv} {liquid}
  the {lbv} {liquid} left a ring on my teeth
clause.food.bad.vague:
  the {dish} was {fbg}
  the {dish} was rather {fbg}
  the food was {fbg} in some way
  everything we ate was {fbg}
  the {dish} was {fbg} and I left it
  I had some {fbg} food of some kind
  something about the {dish} was {fbg}
  the {fbg} {dish} was not the usual thing
  the {dish} and all that were {fbg}
  the {dish} was more or less {fbg}
clause.weather.good.vivid:
  {sun} fell through the window in long stripes
  a {wag} breeze carried the smell of {seasmell} up the street
  {sun} danced on the wet cobbles
  the {wsg} morning sky was as blue as a teacup
  the {wag} wind dried my socks in an hour
  a rainbow stood over the harbour like a painted gate
  the fog lifted and the {wsg} sea shone
  {sun} warmed the {part} until it creaked
  the last clouds drifted off over the {wsg} water
  the {wsg} evening sky turned pink above the masts
  light summer rain tapped on the striped awning
  snow lay on the roofs like clean sugar
clause.weather.good.vague:
  the weather was {wgg}
  the weather was {wgg} for most of it
  it was more or less {wgg} weather
  the sky was sort of {wgg}
  we had {wgg} weather and that helped
  the wind was {wgg} that day
  it was {wgg} and dry outside
  the rain stopped and that was {wgg}
clause.weather.bad.vivid:
  {rain} hammered on the tin roof
  {rain} dripped down my collar at the door
  the {wwb} wind blew the sign into the harbour
  {wfb} fog crept under the door and sat with us
  {rain} ran down the window and over the {part}
  a {wwb} gust turned my umbrella into a broken bird
  thunder rattled every windowpane in {town}
  hail the size of walnuts bounced off the {part}
  the {wwb} frost glued my glove to the door
  the storm tore three slates from the roof of the {place}
  {rain} filled my left boot and then my right
  {wfb} mist swallowed the pier , plank by plank
clause.weather.bad.vague:
  the weather was {wbg}
  the weather was {wbg} as usual
  it was {wbg} weather of some sort
  the sky was sort of {wbg}
  it rained and that was {wbg}
  the wind was rather {wbg}
  the {wbg} weather lasted all day
  it was cold and {wbg} outside
clause.people.good.vivid:
  the {egv} {keeper} knew my name and my shoe size
  {person} sang a {tune} song to the {part}
  {person} danced with the {egv} {keeper} between the tables
  the {keeper} tied a {color} ribbon around my parcel
  {person} mended my torn sleeve with {color} thread
  the {egv} {keeper} laughed until the windows rang
  {person} carried my basket up forty steps
  the {egv} {keeper} waved a wooden spoon at us
  {person} told a {tune} story about a stolen anchor
  two {egv} sailors taught my {relative} to whistle
  my {relative} and {person} clapped until their hands were red
  the {egv} {keeper} lent me dry woollen socks
  {person} filled my cup with a deep bow
clause.people.good.vague:
  the {keeper} was {egg}
  the {keeper} was really {egg}
  the people were {egg} on the whole
  {person} was {egg} as usual
  everybody there was {egg}
  {person} was there and was {egg}
  my {relative} thought it was {pgg}
  the staff were {egg} and things like that
  {person} said something {egg}
  somebody {egg} helped us with something
clause.people.bad.vivid:
  the {ebv} {keeper} sneezed into the till
  the {ebv} {keeper} slammed a drawer on my thumb
  {person} snored behind a damp newspaper
  {person} spilled ink on my white collar
  the {keeper} counted my coins with sticky fingers
  the {ebv} {keeper} hid from us behind a curtain
  {person} quarrelled with the {keeper} about a spoon
  the {ebv} {keeper} shouted at the wallpaper
  {person} trod on my foot with a muddy boot
  my {relative} waited ninety minutes on a {pbv} stool
  {person} played the same gloomy tune nine times
  the {ebv} {keeper} wept over an unpaid bill
  three {ebv} sailors argued over one chair
clause.people.bad.vague:
  the {keeper} was {ebg}
  the {keeper} was rather {ebg}
  the people were {ebg} on the whole
  {person} was {ebg} as usual
  everybody there was {ebg}
  my {relative} thought it was {pbg}
  the staff were {ebg} and things like that
  somebody {ebg} did nothing for us
  {person} said something {ebg}
  nobody did anything about anything
clause.animals.good.vivid:
  a {agv} {animal} slept on the {part}
  the {agv} {animal} purred like a small engine
  a {agv} {animal} followed my {relative} to the door
  a {agv} {animal} with a white paw kept my chair warm
  the {animal} wore a {color} ribbon and {agv} whiskers
  two {agv} {animals} waddled in step past the {part}
  a {agv} {animal} ate oats from my palm
  {animals} splashed in the silver puddle by the door
  the {agv} {animal} nodded at every guest
  seven {agv} {animals} marched past the {place} in a line
  a {agv} {animal} tucked its nose into my scarf
  the {agv} {animal} blinked at me from a straw basket
clause.animals.good.vague:
  there was a {agg} {animal} about
  the {animal} was {agg}
  the {animals} were {agg} as usual
  I liked the {animal} quite a lot
  some {animals} did something {agg}
  the {agg} {animal} made it better somehow
  a {agg} {animal} was around for a bit
  the {animals} were sort of {agg}
clause.animals.bad.vivid:
  a {abv} {animal} bit my left ankle
  a {abv} {animal} shook salt water over the {part}
  a {abv} {animal} ran off with the glove of my {relative}
  the {abv} {animal} chewed the corner off my map
  a {abv} {animal} screeched behind the {part} all evening
  two {abv} {animals} fought under our table
  the {abv} {animal} sneezed on the {dish}
  a {abv} {animal} sat in my hat and stayed there
  {abv} {animals} dripped mud on the {pbv} carpet
  the {abv} {animal} guarded the door and let nobody out
  a {abv} {animal} stole the button from my coat
  I picked {abv} feathers out of the {dish}
clause.animals.bad.vague:
  there was a {abg} {animal} about
  the {animal} was {abg}
  the {animals} were {abg} as usual
  some {animals} did something {abg}
  the {abg} {animal} made it worse somehow
  the {animals} were sort of {abg}
  a {abg} {animal} was around the whole time
clause.place.good.vivid:
  the {part} was {pgv} and smelled of {housesmell}
  {pgv} lanterns hung above the {part}
  the {pgv} {part} shone like a new coin
  a rosy fire crackled beside the {part}
  the {place} glowed with forty {pgv} candles
  somebody had painted {color} stars above the {part}
  I sat by the {pgv} {part} and heard the harbour bells
  the scrubbed floor of the {place} smelled of {housesmell}
  a brass clock ticked softly over the {pgv} {part}
  the {name} had {color} shutters and a {color} door
  every {part} in {town} should be this {pgv}
  the {name} kept a copper jar of peppermints by the door
clause.place.good.vague:
  the {place} was {pgg}
  the {name} was {pgg} as usual
  it was a {pgg} sort of {place}
  the {part} was {pgg} and so on
  the whole thing was {pgg}
  the {name} was really {pgg}
  the {place} had a {pgg} kind of feeling
  we had a {pgg} time there
  all things considered it was {pgg}
clause.place.bad.vivid:
  the {part} was {pbv} and smelled of {stink}
  the {pbv} {part} groaned like a sick cow
  {pbv} plaster fell from the ceiling into my lap
  the {pbv} {part} left a black stain on my skirt
  a bucket caught the drips beside the {pbv} {part}
  the {place} was {pbv} and {pbv} from floor to ceiling
  I cut my thumb on the {pbv} {part}
  a {pbv} stool broke under my {relative}
  the {name} smelled of {stink} and {stink}
  cobwebs as thick as wool hung over the {pbv} {part}
  the only candle in the {place} was out
  the {pbv} door of the {name} came off in my hand
clause.place.bad.vague:
  the {place} was {pbg}
  the {name} was {pbg} as usual
  it was a {pbg} sort of {place}
  the {part} was {pbg} and so on
  the whole thing was {pbg}
  something was {pbg} about the {place}
  we had a {pbg} time there
  it was more or less {pbg}
  the {place} was {pbg} in a way
"""

TAILS = """
tail.weather.good:
  while {sun} crept along the wall
  as the {wag} breeze shook the curtains
  under a {wsg} evening sky
  while the {wsg} sea shone outside
  as the clouds parted
tail.weather.bad:
  while {rain} drummed on the roof
  as the {wfb} fog came in
  in the middle of a {wwb} storm
  while the {wwb} wind roared in the chimney
  as thunder rolled over the bay
  in spite of the {rain}
tail.people.good:
  while {person} hummed a {tune} tune
  while {person} knitted a {color} sock
  as {person} told the one about the bishop
  while the {egv} {keeper} winked at us
  , and {person} cheered
  to the joy of {person}
tail.people.bad:
  while {person} argued with a coat
  while the {ebv} {keeper} yawned
  as {person} fell down the stairs
  , and {person} wept into a napkin
  while {person} complained about a knee
  to the horror of {person}
tail.animals.good:
  while a {agv} {animal} looked on
  beside a {agv} {animal}
  as the {agv} {animal} sang along
  , and the {animal} wagged its tail
  in the company of two {agv} {animals}
tail.animals.bad:
  while a {abv} {animal} watched the door
  as a {abv} {animal} chewed my bootlace
  , and the {abv} {animal} left at once
  in front of nine {abv} {animals}
  until a {abv} {animal} sat on the {part}
tail.food.good:
  while the {fgv} {solid} cooled
  as I finished my {lgv} {broth}
  as I asked for {side}
  , and I had more of the {dish}
tail.food.bad:
  while the {lbv} {liquid} went cold
  as I stared into my {lbv} {broth}
  , and the {dish} ran out
  without so much as a {fbv} biscuit
tail.place = {time} | {time} | beside the {part} | behind the {part}
time = before noon | by candlelight | at half past four | until the lamps went out | on the stroke of nine
  for a whole hour | just before supper
"""

MANNERS = """
manner.polite.good = I am pleased to say that | I am glad to report that | with many thanks , I write that
  I am delighted to say that | it is my pleasure to report that
manner.polite.bad = I am sorry to say that | I regret to say that | forgive me , but | I do beg your pardon , but
  with all due respect , | I hesitate to mention it , but
manner.polite.any = if I may say so , | may I mention that | dear neighbours , | with respect , | dear reader ,
  please note that | dear friends , I must add that | with your permission , | kindly allow me to add that
  gentle reader , | I would humbly add that
manner.rude.good = even a fool could see that | wake up , you lazy lot , | against all the stupid gossip ,
  only an idiot would deny that | admit it , you snobs , | take note , you clowns ,
manner.rude.bad = any idiot could see that | no thanks to those fools , | listen , you dolts ,
  of course , you twits , | while you idiots slept ,
  thanks to that useless lot ,
manner.rude.any = listen , you fools , | as I told those blockheads , | pay attention , you dolts ,
  frankly , you snobs ,
  for your information , you twits , | believe it or not , you blockheads , | wipe your noses , you twits ,
  as every fool knows ,
"""

SAYS = """
say.polite.good:
  thank you kindly , {named} .
  thank you very much for the {dish} .
  my compliments and warm thanks to the {keeper} .
  please give the {keeper} my best regards .
  would you kindly never change the {part} ?
  bless you all , and thank you .
  please pass my thanks to the {animal} .
say.polite.bad:
  would you kindly mend the {part} , please ?
  might I politely suggest another recipe for the {dish} ?
  please forgive my honesty , dear {keeper} .
  may I ask you , please , to move the {animal} ?
  I apologise to the {keeper} for these words .
  would somebody please wake the {keeper} ?
  I beg your pardon for writing this .
say.rude.good:
  get out of bed and go , you lazy fools .
  shut up and try the {dish} .
  stop moaning , you twits , and buy the {dish} .
  my {relative} cried with joy , the big baby .
  hands off the {dish} , you greedy lot .
  only a blockhead would stay at home .
say.rude.bad:
  what a pack of idiots .
  shame on you , {named} .
  shut that {part} , you oaf .
  who hired this blockhead of a {keeper} ?
  get lost , and take the {animal} with you .
  you should all be ashamed , you dolts .
  the {keeper} is an oaf and a twit .
  my {relative} cooks better , you clowns .
  give me back my money , you clowns .
say.open.any:
  I came in for {errand} .
  I went there {occasion} with my {relative} .
  my {relative} sent me there for {errand} .
  I only wanted {errand} .
  {person} told me to try the {place} .
  we arrived with {errand} on our minds .
say.close.good.vivid:
  I will be back {day} with a straw basket .
  my {relative} has already named a {animal} after the {keeper} .
  I would swim there through {rain} .
  I walked home with crumbs in my beard and {sun} on my back .
  I have sold my boat to stay nearer to the {part} .
  we sang all the way home .
say.close.good.vague:
  I will go again some time .
  it was {pgg} , really .
  I liked it , and so on .
  all in all it was {pgg} .
  we will do it again somehow .
  things like that are {pgg} .
say.close.bad.vivid:
  I walked home with {stink} on both shoes .
  I left by the {pbv} window .
  next time I will stay home and boil a sock .
  I have warned my {relative} and the {animal} .
  I want my coins back , all eleven of them .
  I still cough when I pass the {part} .
say.close.bad.vague:
  I will not go again any time soon .
  it was {pbg} , really .
  all in all it was {pbg} .
  it could be less {pbg} , I suppose .
  things like that are {pbg} .
  I did not like it much .
say.ask.vivid:
  who taught the {animal} to open doors ?
  why was there a {animal} in the {dish} ?
  since when does a {place} close for {rain} ?
  who put a saddle on the {animal} ?
  who needs nine spoons for one {dish} ?
  is that {animal} on the payroll of the {place} ?
"""

TOP = """
review.plain = {clause} .
review.tail = {clause} {tail} .
review.manner = {manner} {clause} .
review.say = {say}
"""

RULES = CLAUSES + TAILS + MANNERS + SAYS + TOP
