# The peer has told where it stands, and nothing is sent again.
mutate(endpoint_frames_in.cpp [[if (peer.out.has_session()) peer.out.rewind();]] [[]])
