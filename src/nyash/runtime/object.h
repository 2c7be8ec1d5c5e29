// Object: what every heap value has in common, and how it is freed.
//
// Values are reference-counted, so a node, a file or a timer closes the moment its last reference
// goes. Counts are not atomic: script values stay on the script's thread.
//
// Counting alone never frees a cycle (a handler that uses its own node, an array inside itself).
// Objects that can be part of one are Containers: the Heap knows them all, and at the end of a script
// it empties each, which breaks every cycle. A cycle collector would start from the same list.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <type_traits>
#include <utility>

#include "nyash/runtime/object_memory.h"

namespace nyash {

class BoxType;
class Heap;
class ScriptError;
class String;
class TextWriter;
class Value;
class Vm;
using Name = const String*;
using Result = std::expected<Value, ScriptError>;
using Done = std::expected<void, ScriptError>;

class Object {
public:
    Object(const Object&) = delete;
    Object& operator=(const Object&) = delete;

    const BoxType& type() const noexcept { return *type_; }
    std::uint32_t use_count() const noexcept { return references_; }
    void retain() const noexcept { ++references_; }
    void release() const noexcept {
        if (--references_ == 0) destroy(const_cast<Object*>(this));
    }

    // What operators and syntax ask of an object. The defaults: a text made of the type's name, true,
    // fields from the type's properties, and no elements.
    virtual void write(TextWriter& out) const;  // its toString()
    virtual bool is_true() const noexcept;
    virtual Result get_field(Vm& vm, Name name);
    virtual Done set_field(Vm& vm, Name name, const Value& value);
    virtual Result get_index(Vm& vm, const Value& index);
    virtual Done set_index(Vm& vm, const Value& index, const Value& value);
    // What `object.name(…)` calls when its type has no such method: a function kept in it, or Undefined.
    virtual Value callable_field(Name name) const;

    static void* operator new(std::size_t size) { return object_memory::allocate(size); }
    static void* operator new(std::size_t, void* place) noexcept { return place; }
    static void operator delete(void* memory, std::size_t size) noexcept { object_memory::free(memory, size); }

    // Objects alive on this thread: zero after every script, or something leaks. Debug builds only.
    static std::int64_t live_count() noexcept;

protected:
#ifdef NDEBUG
    explicit Object(const BoxType& type) noexcept : type_(&type) {}
    virtual ~Object() = default;
#else
    explicit Object(const BoxType& type) noexcept : type_(&type) { ++live_objects_; }
    virtual ~Object() { --live_objects_; }
#endif
    void become(const BoxType& type) noexcept { type_ = &type; }

private:
    // Freeing a long chain must not recurse once per link: deep ones wait in a list.
    static void destroy(Object* object) noexcept;

    static constinit thread_local std::int64_t live_objects_;
    const BoxType* type_;
    mutable std::uint32_t references_ = 0;
};

// An owning pointer to an Object.
template <class T>
class Ref {
public:
    Ref() noexcept = default;
    explicit Ref(T* object) noexcept : object_(object) {
        if (object_) object_->retain();
    }
    Ref(const Ref& other) noexcept : Ref(other.object_) {}
    Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    template <class U>
        requires std::is_convertible_v<U*, T*>
    Ref(const Ref<U>& other) noexcept : Ref(other.get()) {}
    template <class U>
        requires std::is_convertible_v<U*, T*>
    Ref(Ref<U>&& other) noexcept : object_(other.take()) {}
    Ref& operator=(Ref other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Ref() {
        if (object_) object_->release();
    }

    T* get() const noexcept { return object_; }
    // Hands the reference over: the caller has it to release.
    T* take() noexcept { return std::exchange(object_, nullptr); }
    T& operator*() const noexcept { return *object_; }
    T* operator->() const noexcept { return object_; }
    explicit operator bool() const noexcept { return object_ != nullptr; }

private:
    T* object_ = nullptr;
};

template <class T, class... Arguments>
Ref<T> make(Arguments&&... arguments) {
    return Ref<T>(new T(std::forward<Arguments>(arguments)...));
}

// A ring: each container knows its neighbours, so it leaves without asking anybody.
struct HeapLink {
    HeapLink* previous = this;
    HeapLink* next = this;
};

// An object that may hold references to others. Heap::clear() empties it at the end of the script.
class Container : public Object, private HeapLink {
public:
    // Drops every reference held, and closes what is open. Called at most a few times.
    virtual void clear() noexcept = 0;

protected:
    Container(Heap& heap, const BoxType& type) noexcept;
    ~Container() override {
        previous->next = next;
        next->previous = previous;
    }

private:
    friend class Heap;
};

class Heap {
public:
    Heap() = default;
    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;

    // Empties every container alive. What nothing outside refers to is freed by that.
    void clear() noexcept;
    bool is_empty() const noexcept { return ring_.next == &ring_; }

private:
    friend class Container;
    HeapLink ring_;  // the newest container comes first
};

inline Container::Container(Heap& heap, const BoxType& type) noexcept
    : Object(type), HeapLink{&heap.ring_, heap.ring_.next} {
    next->previous = this;
    heap.ring_.next = this;
}

}  // namespace nyash
