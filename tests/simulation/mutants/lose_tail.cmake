# Nobody asks for what remains unacknowledged: a lost tail is lost.
mutate(endpoint_peers.cpp [[is_attached_ && peer.sync_at <= now)]] [[is_attached_ && peer.sync_at <= now && peer.phase != Peer::Phase::Flowing)]])
