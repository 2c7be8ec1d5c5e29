# A new session has the number of an old one.
mutate(endpoint_frames_out.cpp [[++last_session_number_]] [[last_session_number_ = 1]])
