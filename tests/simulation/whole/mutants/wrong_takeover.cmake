# A name goes to another instance of its owner, and the hub goes on telling of the one before.
mutate(hub/name_table.cpp [[    name.instance = bid.instance;]] [[    if (name.instance == 0) name.instance = bid.instance;]])
