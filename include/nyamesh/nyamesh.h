// All of NyaMesh's public API.
#pragma once

#include <nyamesh/message_bus.h>
#include <nyamesh/names.h>
#include <nyamesh/nya_mesh.h>
#include <nyamesh/p2p_box.h>
