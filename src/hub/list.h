// List: a doubly linked list through its items, which it does not own. An item unlinks itself when it is destroyed, so
// leaving a list, wherever one stands in it, costs nothing and cannot be forgotten.
//
// An item that is in several lists derives from one Link per list, told apart by a tag.
#pragma once

#include <cstddef>

namespace nyamesh::hub {

template <class Tag>
class Link {
public:
    Link() = default;
    ~Link() { unlink(); }
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    bool is_linked() const noexcept { return next_ != this; }
    void unlink() noexcept {
        before_->next_ = next_;
        next_->before_ = before_;
        before_ = next_ = this;
    }

private:
    template <class, class>
    friend class List;
    Link* before_ = this;
    Link* next_ = this;
};

template <class Item, class Tag>
class List {
public:
    bool empty() const noexcept { return !ends_.is_linked(); }
    Item* front() const noexcept { return item(ends_.next_); }
    Item* back() const noexcept { return item(ends_.before_); }
    // The one behind it; null at the end.
    Item* next(const Item& of) const noexcept { return item(static_cast<const Link<Tag>&>(of).next_); }

    void push_back(Item& what) noexcept { insert_before(ends_, what); }
    void push_front(Item& what) noexcept {
        static_cast<Link<Tag>&>(what).unlink();  // it may be the front, and nothing stands before itself
        insert_before(*ends_.next_, what);
    }

    // Calls `visit` for each; it may unlink or destroy the one it is given, and no other.
    template <class Visit>
    void for_each(Visit visit) const {
        for (Item* at = front(); at != nullptr;) {
            Item* behind = next(*at);
            visit(*at);
            at = behind;
        }
    }

private:
    Item* item(Link<Tag>* link) const noexcept { return link == &ends_ ? nullptr : static_cast<Item*>(link); }
    static void insert_before(Link<Tag>& place, Item& what) noexcept {
        Link<Tag>& link = what;
        if (&link == &place) return;  // already there: pushed to the front, of which it is the first
        link.unlink();
        link.before_ = place.before_;
        link.next_ = &place;
        place.before_->next_ = &link;
        place.before_ = &link;
    }

    Link<Tag> ends_;
};

}  // namespace nyamesh::hub
