# What a dead instance may have handled is sent again to the next one.
mutate(endpoint_peers.cpp [[if (peer.instance != 0) forget_instance(peer, End::PeerChanged);]]
    [[if (peer.instance != 0) { drop_inbound(peer); peer.past.add(peer.instance); peer.out.rewind(); }]])
