# The receiver never hears of messages that were given up before they were on any wire.
mutate(endpoint_peers.cpp [[peer.out.gave_up(++last_session_number_, dropped);]] [[++last_session_number_;]])
