package nova

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

func (n *Nova) metadataRoutes(s *front.Service) {
	const path = "/servers/{id}/metadata"
	s.Handle("GET", path, http.StatusOK, n.with(func(_ *front.Request, s *Server) (any, error) {
		return map[string]any{"metadata": s.Metadata}, nil
	}))
	s.Handle("POST", path, http.StatusOK, n.with(func(r *front.Request, s *Server) (any, error) { return n.setMetadata(r, s, true) }))
	s.Handle("PUT", path, http.StatusOK, n.with(func(r *front.Request, s *Server) (any, error) { return n.setMetadata(r, s, false) }))
	s.Handle("GET", path+"/{key}", http.StatusOK, n.with(func(r *front.Request, s *Server) (any, error) {
		value, ok := s.Metadata[r.PathValue("key")]
		if !ok {
			return nil, front.Errorf(http.StatusNotFound, "Metadata item was not found")
		}
		return map[string]any{"meta": map[string]string{r.PathValue("key"): value}}, nil
	}))
	s.Handle("PUT", path+"/{key}", http.StatusOK, n.with(func(r *front.Request, s *Server) (any, error) {
		in := map[string]string{}
		if err := r.Decode("meta", &in); err != nil {
			return nil, err
		}
		if _, ok := in[r.PathValue("key")]; !ok || len(in) != 1 {
			return nil, front.Errorf(http.StatusBadRequest, "Request body and URI mismatch")
		}
		return map[string]any{"meta": in}, n.mergeMetadata(s, in)
	}))
	s.Handle("DELETE", path+"/{key}", http.StatusNoContent, n.with(func(r *front.Request, s *Server) (any, error) {
		if _, ok := s.Metadata[r.PathValue("key")]; !ok {
			return nil, front.Errorf(http.StatusNotFound, "Metadata item was not found")
		}
		delete(s.Metadata, r.PathValue("key"))
		n.servers.Touch(s)
		return nil, nil
	}))
	n.tagRoutes(s)
}

// with finds the server of a request first.
func (n *Nova) with(h func(*front.Request, *Server) (any, error)) front.Handler {
	return func(r *front.Request) (any, error) {
		s, err := n.own(r)
		if err != nil {
			return nil, err
		}
		return h(r, s)
	}
}

func (n *Nova) setMetadata(r *front.Request, s *Server, merge bool) (any, error) {
	in := map[string]string{}
	if err := r.Decode("metadata", &in); err != nil {
		return nil, err
	}
	before := s.Metadata
	if !merge {
		s.Metadata = map[string]string{}
	}
	if err := n.mergeMetadata(s, in); err != nil {
		s.Metadata = before
		return nil, err
	}
	return map[string]any{"metadata": s.Metadata}, nil
}

func (n *Nova) mergeMetadata(s *Server, in map[string]string) error {
	if err := checkMetadata(in); err != nil {
		return err
	}
	merged := maps.Clone(s.Metadata)
	maps.Copy(merged, in)
	if limit := n.Quotas.Limit(s.Project, "metadata_items"); limit >= 0 && len(merged) > limit {
		return front.Errorf(http.StatusForbidden, "Maximum number of metadata items exceeds %d", limit)
	}
	s.Metadata = merged
	n.servers.Touch(s)
	return nil
}

func (n *Nova) tagRoutes(s *front.Service) {
	const path = "/servers/{id}/tags"
	s.Handle("GET", path, http.StatusOK, needs(26, n.with(func(_ *front.Request, s *Server) (any, error) {
		return map[string]any{"tags": append([]string{}, s.Tags...)}, nil
	})))
	s.Handle("PUT", path, http.StatusOK, needs(26, n.with(func(r *front.Request, s *Server) (any, error) {
		var in struct{ Tags []string }
		if err := json.Unmarshal(r.Body, &in); err != nil {
			return nil, front.Errorf(http.StatusBadRequest, "Malformed request body")
		}
		if err := checkTags(in.Tags); err != nil {
			return nil, err
		}
		s.Tags = in.Tags
		return map[string]any{"tags": append([]string{}, s.Tags...)}, nil
	})))
	s.Handle("DELETE", path, http.StatusNoContent, needs(26, n.with(func(_ *front.Request, s *Server) (any, error) {
		s.Tags = nil
		return nil, nil
	})))
	s.Handle("GET", path+"/{tag}", http.StatusNoContent, needs(26, n.with(func(r *front.Request, s *Server) (any, error) {
		return nil, tagged(r, s)
	})))
	s.Handle("PUT", path+"/{tag}", http.StatusCreated, needs(26, n.with(func(r *front.Request, s *Server) (any, error) {
		if tagged(r, s) == nil {
			return front.Reply{Status: http.StatusNoContent, Header: http.Header{}}, nil
		}
		if err := checkTags([]string{r.PathValue("tag")}); err != nil {
			return nil, err
		}
		s.Tags = append(slices.Clone(s.Tags), r.PathValue("tag"))
		reply := front.Reply{Status: http.StatusCreated, Header: http.Header{}}
		reply.Header.Set("Location", r.Base()+"/compute/v2.1/servers/"+s.ID+"/tags/"+r.PathValue("tag"))
		return reply, nil
	})))
	s.Handle("DELETE", path+"/{tag}", http.StatusNoContent, needs(26, n.with(func(r *front.Request, s *Server) (any, error) {
		if err := tagged(r, s); err != nil {
			return nil, err
		}
		s.Tags = slices.DeleteFunc(slices.Clone(s.Tags), func(t string) bool { return t == r.PathValue("tag") })
		return nil, nil
	})))
}

func tagged(r *front.Request, s *Server) error {
	if !slices.Contains(s.Tags, r.PathValue("tag")) {
		return front.Errorf(http.StatusNotFound, "Instance %s has no tag '%s'", s.ID, r.PathValue("tag"))
	}
	return nil
}
