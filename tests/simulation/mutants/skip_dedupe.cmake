# What is here already is taken again.
mutate(inbound.cpp [[sequence <= received_ || early_.contains(sequence)]] [[early_.contains(sequence)]])
mutate(inbound.cpp [[if (message.sequence != received_ + 1) {]] [[if (message.sequence > received_ + 1) {]])
