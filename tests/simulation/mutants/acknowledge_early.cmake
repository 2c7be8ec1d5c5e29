# What has been received is called handled before its handlers have returned.
mutate(inbound.cpp [[session_, received_, handled_,]] [[session_, received_, received_,]])
