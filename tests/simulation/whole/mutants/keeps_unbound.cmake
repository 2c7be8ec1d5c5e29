# A node that leaves a link that others use does not tell the hub.
mutate(transport/websocket/hub_link.cpp [[        head.type = wire::FrameType::Unbind;
        head.name = node->name();
        send(head, {});]] [[]])
