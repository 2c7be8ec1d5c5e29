# Senders are told to hold, and never that they may go on.
mutate(hub/connection.cpp [[if (!watch.is_held || is_leaving_) return;]] [[if (true) return;]])
