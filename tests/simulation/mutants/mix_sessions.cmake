# A session's frames are taken for another's.
mutate(endpoint_frames_in.cpp [[if (head.session.number < peer.in.session().number) return false;]] [[if (head.session.number < peer.in.session().number) return true;]])
