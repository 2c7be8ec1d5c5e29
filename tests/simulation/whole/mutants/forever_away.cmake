# A name whose connection is lost is away for ever: its lease does not end.
mutate(hub/name_table.cpp [[(is_away ? away_ : gone_).push_back(name);]] [[if (!is_away) gone_.push_back(name);]])
