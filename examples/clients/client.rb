# Ruby, Dalli: ruby client.rb HOST:PORT
require "dalli"
require "json"
require "logger"

# Dalli says on standard output that a server is down: into the application's log with that.
Dalli.logger = Logger.new(File::NULL)
CACHE = Dalli::Client.new(ARGV[0], socket_timeout: 0.2, socket_max_failures: 0, serializer: JSON)

def from_database(number)
  { "name" => "product #{number}" }
end

def product(number)
  key = "product:#{number}"
  found = CACHE.get(key)
  return [found, "hit"] if found

  fresh = from_database(number)
  CACHE.set(key, fresh, 60)
  [fresh, "miss"]
rescue Dalli::RingError, Dalli::NetworkError
  [from_database(number), "down"]
end

source = nil
%w[first second].each do |turn|
  answer, source = product(7)
  abort "wrong: #{answer}" unless answer == { "name" => "product 7" }
  puts "#{turn}: #{source}"
end
if source == "hit"
  CACHE.set("visits", "41", 0, raw: true)
  puts "visits: #{CACHE.incr('visits', 1)}"
  CACHE.set("a", "1", 60)
  CACHE.set("b", "2", 60)
  puts "many: #{CACHE.get_multi('a', 'b', 'none').size}"
  puts "deleted: #{CACHE.delete('product:7')}"
end
