# The hub tells nobody that a name is away, or back.
mutate(hub/name_table.cpp [[name.watches.for_each([](Watch& watch) { watch.watcher.tell(watch); });]] [[static_cast<void>(name);]])
