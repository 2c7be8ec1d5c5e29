# While one instance of a name's owner waits for the name, the next one is refused for good. (It was so once.)
mutate(hub/name_table.cpp [[return Outcome::TakenByOwn;]] [[return Outcome::Taken;]])
