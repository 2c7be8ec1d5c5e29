# The receiver never hears of sessions that ended unconfirmed.
mutate(outbound.cpp [[lost_.push_back(lost);]] [[]])
