# The hub tells nobody that a name is back.
mutate(hub/name_table.cpp [[if (is_change) tell_watchers(name);]] [[if (is_change && name.watches.empty()) tell_watchers(name);]])
