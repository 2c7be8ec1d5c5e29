# A failed handler's message is called handled.
mutate(inbound.cpp [[ack.exceptions.push_back(exception);]] [[]])
